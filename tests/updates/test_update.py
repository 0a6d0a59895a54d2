"""`omnistack update`: what comes, what stays, and what is said."""

from collections.abc import Callable
from pathlib import Path

from tests.updates.workshop import ENV, V1, V2, MakeProject, Repository

HANDBOOK = "docs/handbook.md"
MARKER = "<<<<<<< before updating"


def contents(folder: Path) -> dict[str, bytes]:
    hidden = {".git", ".env", "__pycache__"}
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not hidden & set(file.relative_to(folder).parts)
    }


def test_an_untouched_project_becomes_what_the_new_version_renders(
    project: MakeProject, fresh: Callable[..., Path]
) -> None:
    made = project()
    ran = made.omnistack("update")
    assert ran.status == 0, ran.text
    assert contents(made.root) == contents(fresh(V2))
    assert made.read(".env") == ENV
    assert "v1.0.0 -> v2.0.0" in ran.out
    assert "New question newsletter: answered with its default, false" in ran.out
    assert made.answers()["newsletter"] is False


def test_the_changes_are_staged_for_review_and_one_command_undoes_them(project: MakeProject) -> None:
    made = project()
    before, head = made.files(), made.git("rev-parse", "HEAD")
    ran = made.omnistack("update")
    assert made.git("rev-parse", "HEAD") == head
    assert made.git("diff", "--staged", "--name-only").split() == [
        ".copier-answers.yml",
        "docs/arriving.md",
        HANDBOOK,
        "docs/leaving.md",
    ]
    assert made.git("diff") == ""
    for told in ("git diff --staged", "uv sync", 'git commit -m "Update to v2.0.0"', "git reset --hard"):
        assert told in ran.out
    made.git("reset", "--hard")
    assert made.files() == before
    assert made.status == ""


def test_edits_elsewhere_are_kept_without_a_conflict(project: MakeProject) -> None:
    made = project()
    made.edit(HANDBOOK, "Line 25\n", "Line 25, mine\n")
    made.edit("app/main.py", '"""', '"""Mine. ')
    made.write("app/mine/__init__.py", '"""My own."""\n')
    made.commit("Mine")
    ran = made.omnistack("update")
    assert ran.status == 0, ran.text
    handbook = made.read(HANDBOOK)
    assert "Line 5, second edition\n" in handbook
    assert "Line 25, mine\n" in handbook
    assert made.read("app/main.py").startswith('"""Mine. ')
    assert made.read("app/mine/__init__.py") == '"""My own."""\n'


def test_edits_of_the_same_lines_are_listed_with_their_place_and_the_exit_status_is_1(project: MakeProject) -> None:
    made = project()
    made.edit(HANDBOOK, "Line 5\n", "Line 5, mine\n")
    made.commit("Mine")
    ran = made.omnistack("update")
    assert ran.status == 1
    assert f"{HANDBOOK}:5" in ran.out
    text = made.read(HANDBOOK)
    assert text.splitlines()[4] == MARKER
    assert "Line 5, mine" in text
    assert "Line 5, second edition" in text


def test_git_refuses_to_commit_until_the_conflicts_are_resolved(project: MakeProject) -> None:
    made = project()
    made.edit(HANDBOOK, "Line 5\n", "Line 5, mine\n")
    made.commit("Mine")
    made.omnistack("update")
    assert f"UU {HANDBOOK}" in made.status
    # All three versions are there for a merge tool.
    assert [made.git("show", f":{stage}:{HANDBOOK}").splitlines()[4] for stage in (1, 2, 3)] == [
        "Line 5",
        "Line 5, mine",
        "Line 5, second edition",
    ]
    text = made.read(HANDBOOK)
    start, end = text.index(MARKER), text.index(">>>>>>> after updating")
    made.write(HANDBOOK, f"{text[:start]}Line 5, both\n{text[end:].split(chr(10), 1)[1]}")
    made.commit("Resolved")
    assert made.status == ""
    assert made.omnistack("update").out.startswith("Nothing to do: the project is at v2.0.0, the newest version")


def test_a_conflict_can_be_undone_like_everything_else(project: MakeProject) -> None:
    made = project()
    made.edit(HANDBOOK, "Line 5\n", "Line 5, mine\n")
    made.commit("Mine")
    before = made.files()
    made.omnistack("update")
    made.git("reset", "--hard")
    assert made.files() == before
    assert made.status == ""


def test_a_removed_file_that_the_user_edited_is_a_conflict_to_be_told(project: MakeProject) -> None:
    made = project()
    made.write("docs/leaving.md", "Rewritten by me.\n")
    made.commit("Mine")
    ran = made.omnistack("update")
    assert ran.status == 1
    assert "docs/leaving.md: deleted: you edited it, and the new version no longer has it" in ran.out
    made.git("restore", "--source=HEAD", "docs/leaving.md")
    assert made.read("docs/leaving.md") == "Rewritten by me.\n"


def test_a_file_that_the_user_deleted_stays_deleted(project: MakeProject) -> None:
    made = project()
    (made.root / HANDBOOK).unlink()
    made.commit("I need no handbook")
    assert made.omnistack("update").status == 0
    assert not (made.root / HANDBOOK).exists()


def test_a_file_that_both_added_is_a_conflict_and_neither_is_lost(project: MakeProject) -> None:
    made = project()
    made.write("docs/arriving.md", "Mine.\n")
    made.commit("Mine")
    ran = made.omnistack("update")
    assert ran.status == 1
    assert "docs/arriving.md:1" in ran.out
    assert "Mine." in made.read("docs/arriving.md")
    assert "New in this release." in made.read("docs/arriving.md")


def test_a_dry_run_shows_every_file_and_changes_none(project: MakeProject) -> None:
    made = project()
    before = made.files()
    ran = made.omnistack("update", "--dry-run")
    assert ran.status == 0
    for told in ("add     docs/arriving.md", f"change  {HANDBOOK}", "remove  docs/leaving.md", "1 added"):
        assert told in ran.out
    assert made.files() == before
    assert made.status == ""


def test_a_dry_run_foretells_conflicts(project: MakeProject) -> None:
    made = project()
    made.edit(HANDBOOK, "Line 5\n", "Line 5, mine\n")
    made.commit("Mine")
    ran = made.omnistack("update", "--dry-run")
    assert ran.status == 1
    assert f"{HANDBOOK}:5" in ran.out
    assert made.status == ""


def test_an_answer_that_the_new_version_does_not_accept_falls_back_and_is_named(
    releases: Repository, project: MakeProject, tmp_path: Path
) -> None:
    template = releases.clone(tmp_path / "template")
    template.edit("copier.yml", "[none, sms_log, sms_http]", "[none, sms_log]")
    questions, _, rest = template.read("copier.yml").partition("left:\n")
    template.write("copier.yml", questions + rest[rest.index("right:\n") :])
    template.commit("Three", "v3.0.0")
    made = project(sms="sms_http")
    ran = made.omnistack("update", "--template", str(template.root))
    assert ran.status == 0, ran.text
    assert "sms is now 'none': the new version does not accept 'sms_http'" in ran.out
    assert "left is no longer asked (it was false)" in ran.out


def test_new_settings_are_named_and_the_env_file_is_the_users(
    releases: Repository, project: MakeProject, tmp_path: Path
) -> None:
    template = releases.clone(tmp_path / "template")
    catalog = "extensions/catalog/cron.yml"
    template.write(
        catalog, template.read(catalog).replace("settings: []", "settings:\n- {name: CRON_ZONE, help: Where it is.}")
    )
    template.commit("Three", "v3.0.0")
    made = project(cron=True, clock=True)
    ran = made.omnistack("update", "--template", str(template.root))
    assert ran.status == 0, ran.text
    assert "CRON_ZONE  Where it is." in ran.out
    assert made.read(".env") == ENV


def test_a_project_in_a_folder_of_a_larger_repository_is_updated_there_and_nowhere_else(
    fresh: Callable[..., Path], tmp_path: Path, project: MakeProject
) -> None:
    made = project(folder="mono/backend")
    (made.root / ".git").rename(tmp_path / "mono/.git")
    mono = Repository(tmp_path / "mono")
    mono.write("frontend/index.html", "<p>\n")
    mono.commit("All in one")
    mono.write("frontend/index.html", "<p>not committed yet\n")
    ran = made.omnistack("update")
    assert ran.status == 0, ran.text
    assert contents(made.root) == contents(fresh(V2))
    assert mono.read("frontend/index.html") == "<p>not committed yet\n"
    undo = "git restore --source=HEAD --staged --worktree ."
    assert undo in ran.out
    made.git(*undo.split()[1:])
    assert mono.git("status", "--porcelain", "backend") == ""
    assert contents(made.root) == contents(fresh(V1))
