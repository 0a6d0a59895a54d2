"""`omnistack add` and `omnistack remove`: what comes along, what is refused, what is asked."""

import sys
from collections.abc import Callable
from pathlib import Path

import pexpect  # type: ignore[import-untyped]  # it has no type information
import pytest

from tests.updates.test_update import contents
from tests.updates.workshop import ENV, V1, MakeProject, Repository, write_piece


def test_adding_renders_the_piece_at_the_projects_own_version(project: MakeProject, fresh: Callable[..., Path]) -> None:
    made = project(clock=False)
    ran = made.omnistack("add", "clock")
    assert ran.status == 0, ran.text
    assert made.answers()["_commit"] == V1
    assert contents(made.root) == contents(fresh(clock=True))
    assert made.read(".env") == ENV
    assert "A  app/clock/__init__.py" in made.status
    assert 'git commit -m "Add clock"' in ran.out


def test_requirements_come_along_and_are_told(project: MakeProject, fresh: Callable[..., Path]) -> None:
    made = project()
    ran = made.omnistack("add", "cron", "shop")
    assert ran.status == 0, ran.text
    assert "clock is added too: cron requires it" in ran.out
    assert "ledger is added too: shop requires it" in ran.out
    assert made.answers()["clock"] is True
    assert contents(made.root) == contents(fresh(cron=True, clock=True, shop=True))
    assert '"idna>=3"' in made.read("pyproject.toml")


def test_new_tables_are_followed_by_the_command_that_makes_them(project: MakeProject) -> None:
    assert "uv run app db upgrade" in project().omnistack("add", "shop").out


def test_adding_a_provider_answers_its_port_and_says_what_it_replaces(
    project: MakeProject, fresh: Callable[..., Path]
) -> None:
    made = project()
    ran = made.omnistack("add", "sms_http")
    assert ran.status == 0, ran.text
    assert "sms_log is added too" in ran.out
    assert made.answers()["sms"] == "sms_http"
    made.commit("Senders")
    ran = made.omnistack("add", "supabase")
    assert "supabase replaces custom (auth)" in ran.out
    assert "SUPABASE_PROJECT_URL" in ran.out
    assert "No longer used, delete them from .env: OAUTH_JWKS_URL" in ran.out
    assert contents(made.root) == contents(fresh(sms="sms_http", auth="supabase"))


def test_an_unknown_piece_is_refused_with_the_nearest_name(project: MakeProject) -> None:
    for command in ("add", "remove"):
        ran = project(folder=command).omnistack(command, "proyects")
        assert ran.status == 1
        assert ran.err.startswith("error: there is no piece 'proyects'. did you mean projects?")


def test_a_piece_of_a_newer_version_is_named_as_such(project: MakeProject) -> None:
    ran = project().omnistack("add", "newsletter")
    assert ran.status == 1
    assert "at version v1.0.0, which has no piece newsletter" in ran.err
    assert "v2.0.0 has it: run `omnistack update` first" in ran.err


def test_a_piece_goes_together_with_what_needs_it_and_what_only_it_needed(
    project: MakeProject, fresh: Callable[..., Path]
) -> None:
    made = project(cron=True, clock=True, shop=True)
    ran = made.omnistack("remove", "clock", "cron", "shop", "--yes")
    assert ran.status == 0, ran.text
    assert "ledger is removed too: nothing else requires it" in ran.out
    assert contents(made.root) == contents(fresh(cron=False, clock=False, shop=False))


def test_a_provider_of_a_port_that_may_stay_empty_can_be_removed(
    project: MakeProject, fresh: Callable[..., Path]
) -> None:
    made = project(sms="sms_http")
    assert made.omnistack("remove", "sms_http").status == 0
    assert made.answers()["sms"] == "none"
    assert contents(made.root) == contents(fresh())


def test_the_folder_of_a_removed_piece_is_gone_with_its_caches(project: MakeProject) -> None:
    made = project(clock=True)
    made.write("app/clock/__pycache__/__init__.cpython-312.pyc", "compiled")
    assert made.omnistack("remove", "clock").status == 0
    assert not (made.root / "app/clock").exists()


def test_edited_and_own_files_in_a_removed_piece_are_listed_and_asked_about(project: MakeProject) -> None:
    made = project()
    made.edit("app/projects/__init__.py", "", "# mine\n")
    made.write("app/projects/export.py", "from app.projects import models\n")
    made.write("app/reports/service.py", "import os\n\nfrom app.projects.models import Project\n")
    made.commit("Mine")
    before = made.files()
    ran = made.omnistack("remove", "projects")
    assert ran.status == 1
    lines = ran.out.splitlines()
    assert lines[lines.index("These files will be deleted, and you edited them:") + 1] == "  app/projects/__init__.py"
    assert (
        lines[lines.index("These files of yours are in the removed folders, and are kept:") + 1]
        == "  app/projects/export.py"
    )
    assert "  app/reports/service.py:3" in lines
    assert "no terminal to ask in. check the list, then run the command again with --yes" in ran.err
    assert made.files() == before
    assert made.status == ""


def test_with_yes_nobody_is_asked_and_own_files_stay(project: MakeProject) -> None:
    made = project()
    made.edit("app/projects/__init__.py", "", "# mine\n")
    made.write("app/projects/export.py", "Mine.\n")
    made.commit("Mine")
    ran = made.omnistack("remove", "projects", "--yes")
    assert ran.status == 0, ran.text
    assert sorted(path for path in made.files() if path.startswith("app/projects/")) == ["app/projects/export.py"]
    made.git("reset", "--hard")
    assert made.read("app/projects/__init__.py").startswith("# mine")


def test_the_downgrade_that_has_to_come_first_is_told_first(project: MakeProject) -> None:
    made = project(shop=True)
    ran = made.omnistack("remove", "projects", "shop")
    assert ran.status == 1
    assert "FIRST drop its tables" in ran.out
    commands = [line.strip() for line in ran.out.splitlines() if "downgrade" in line]
    assert sorted(commands) == ["uv run app db downgrade ledger@base", "uv run app db downgrade projects@base"]
    assert made.status == ""


def test_replacing_a_provider_asks_about_edits_of_the_one_before(project: MakeProject) -> None:
    made = project()
    file = "app/auth/providers/custom.py"
    made.write(file, f"{made.read(file)}\n# mine\n")
    made.commit("Mine")
    ran = made.omnistack("add", "clerk")
    assert ran.status == 1
    assert f"  {file}" in ran.out.splitlines()
    assert made.omnistack("add", "clerk", "--yes").status == 0


@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("y", 0)])
def test_at_a_terminal_the_question_decides(project: MakeProject, answer: str, status: int) -> None:
    made = project()
    program = [str(Path(sys.executable).parent / "omnistack"), "remove", "projects", "--no-sync"]
    terminal = pexpect.spawn(program[0], program[1:], cwd=str(made.root), encoding="utf-8", timeout=60)
    terminal.expect_exact("Remove projects now? [y/N]:")
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == status
    assert (made.root / "app/projects/__init__.py").exists() is (answer == "n")


def test_a_key_pressed_before_the_question_is_not_its_answer(project: MakeProject) -> None:
    made = project()
    program = [str(Path(sys.executable).parent / "omnistack"), "remove", "projects", "--no-sync"]
    terminal = pexpect.spawn(program[0], program[1:], cwd=str(made.root), encoding="utf-8", timeout=60)
    terminal.sendline("y")
    terminal.expect_exact("Remove projects now? [y/N]:")
    terminal.sendline("n")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 1
    assert (made.root / "app/projects/__init__.py").exists()


def test_a_dry_run_asks_nothing_and_changes_nothing(project: MakeProject) -> None:
    made = project()
    ran = made.omnistack("remove", "projects", "--dry-run")
    assert ran.status == 0, ran.text
    assert "remove  app/projects/__init__.py" in ran.out
    assert "app db downgrade projects@base" in ran.out
    assert made.status == ""


def test_the_newest_release_is_not_slipped_in_by_a_template_that_moved_on(
    releases: Repository, project: MakeProject, tmp_path: Path
) -> None:
    template = releases.clone(tmp_path / "template")
    write_piece(template, "later")
    template.commit("Three", "v3.0.0")
    made = project(V1)
    ran = made.omnistack("add", "clock", "--template", str(template.root))
    assert ran.status == 0, ran.text
    answers = made.answers()
    assert answers["_commit"] == V1
    assert answers["_src_path"] == str(template.root)
    assert "later" not in answers
