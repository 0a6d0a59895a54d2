import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import commit_all, git
from tests.tool.conftest import Run, files_in, write

QUIET = ("--defaults", "--no-sync")


def test_a_project_is_rendered_and_committed(run: Run, small: Path, tmp_path: Path) -> None:
    done = run("new", tmp_path / "made", *QUIET)
    assert (done.status, done.err) == (0, "")
    assert git(tmp_path / "made", "log", "--format=%s") == f"Start from OmniStack {git(small, 'describe', '--always')}"
    assert git(tmp_path / "made", "status", "--porcelain") == ""
    assert {"app/main.py", "app/projects/service.py", ".copier-answers.yml"} <= files_in(tmp_path / "made")
    answers = yaml.safe_load((tmp_path / "made/.copier-answers.yml").read_text())
    assert answers["_src_path"] == str(small)
    assert answers["_commit"] == git(small, "describe", "--always")


def test_the_rendered_version_is_told(run: Run, small: Path, tmp_path: Path) -> None:
    git(small, "tag", "v1.2.0")
    done = run("new", tmp_path / "made", *QUIET)
    assert f"from OmniStack v1.2.0 ({git(small, 'rev-parse', '--short', 'HEAD')})" in done.out


def test_the_preview_names_pieces_files_and_packages(run: Run, tmp_path: Path) -> None:
    done = run("new", tmp_path / "made", "--preset", "minimal", "--dry-run")
    assert done.status == 0
    shown = " ".join(done.out.split())
    assert "pieces custom, github_actions; and 4 internal pieces files 8 (" in shown
    assert "fastapi" in shown
    assert "preset=minimal, auth=custom, email=none, storage=none, redis=false" in shown
    assert "projects=false" in shown
    assert "Nothing was created" in shown


def test_a_dry_run_leaves_nothing(run: Run, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    run("new", tmp_path / "deep/er/made", "--defaults", "--dry-run")
    assert set(tmp_path.iterdir()) == before


def test_answers_come_from_preset_file_and_command_line_in_this_order(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "answers.yml"
    file.write_text("_commit: v0\nauth: supabase\npython_version: 3.13\nprojects: true\n")
    run("new", tmp_path / "made", "--preset", "minimal", "--answers", file, "-d", "auth=clerk", *QUIET)
    answers = yaml.safe_load((tmp_path / "made/.copier-answers.yml").read_text())
    assert (answers["preset"], answers["auth"], answers["python_version"]) == ("minimal", "clerk", "3.13")
    assert answers["projects"] is True
    assert (tmp_path / "made/app/auth/providers/clerk.py").is_file()
    assert not (tmp_path / "made/app/auth/providers/custom.py").exists()


def test_answers_may_be_json(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"project_slug": "from-json", "projects": False}, indent="\t"))
    assert run("new", tmp_path / "made", "--answers", file, *QUIET).status == 0
    assert 'name = "from-json"' in (tmp_path / "made/pyproject.toml").read_text()


def test_a_project_can_be_made_again_from_its_own_answers(run: Run, tmp_path: Path) -> None:
    run("new", tmp_path / "one", "-d", "auth=supabase", "-d", "project_name=Twin", *QUIET)
    run("new", tmp_path / "two", "--answers", tmp_path / "one/.copier-answers.yml", *QUIET)
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")
    for name in files_in(tmp_path / "one") - {".env"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_dotenv_holds_fresh_secrets_that_git_never_sees(run: Run, tmp_path: Path) -> None:
    secrets = set()
    for name in ("one", "two"):
        run("new", tmp_path / name, *QUIET)
        file = tmp_path / name / ".env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert ".env" not in git(tmp_path / name, "ls-files").splitlines()
        found = re.search(r"^SECRET_KEY=(\S{32,})$", file.read_text(), flags=re.MULTILINE)
        assert found
        assert found[1] not in (tmp_path / name / ".env.example").read_text()
        assert "ENVIRONMENT=local" in file.read_text().splitlines()
        secrets.add(found[1])
    assert len(secrets) == 2


def test_without_an_identity_the_author_signs_the_first_commit_only(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    run("new", tmp_path / "made", "-d", "author_name=Ada", "-d", "author_email=ada@example.com", *QUIET)
    assert git(tmp_path / "made", "log", "--format=%an %ae %cn %ce") == "Ada ada@example.com Ada ada@example.com"
    assert "user" not in (tmp_path / "made/.git/config").read_text()


def test_an_identity_of_the_users_is_respected(run: Run, tmp_path: Path) -> None:
    run("new", tmp_path / "made", "-d", "author_name=Ada", *QUIET)
    assert git(tmp_path / "made", "log", "--format=%an %ae") == "A Tester tester@example.com"


def test_what_the_user_ignores_everywhere_is_committed_all_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ignored").write_text("*.toml\n.env.*\n")
    (tmp_path / "gitconfig").write_text(f"[core]\nexcludesFile = {tmp_path / 'ignored'}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    run("new", tmp_path / "made", *QUIET)
    assert {"pyproject.toml", ".env.example"} <= set(git(tmp_path / "made", "ls-files").splitlines())


def test_inside_another_repository_it_gets_its_own(run: Run, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    write(outer / "file", "text")
    commit_all(outer, "Outer", first=True)
    done = run("new", outer / "services/made", *QUIET)
    assert f"inside {outer}; --no-git makes it a folder of that repository" in done.out
    assert git(outer / "services/made", "rev-parse", "--show-toplevel") == str(outer / "services/made")
    assert git(outer, "log", "--format=%s") == "Outer"


def test_an_empty_destination_stays_the_same_folder(run: Run, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    before = made.stat().st_ino
    assert run("new", made, *QUIET).status == 0
    assert made.stat().st_ino == before
    assert git(made, "status", "--porcelain") == ""
    assert not list(made.glob(".omnistack-*"))


def test_the_next_steps_can_be_copied_for_any_path(run: Run, tmp_path: Path) -> None:
    shown = run("new", tmp_path / "my projects" / "api", *QUIET).out
    assert f"cd '{tmp_path}/my projects/api'" in shown


def test_an_older_version_can_be_named(run: Run, small: Path, tmp_path: Path) -> None:
    git(small, "tag", "v1.0.0")
    write(small / "template/new.txt", "new in 1.1\n")
    commit_all(small, "More", tag="v1.1.0")
    run("new", tmp_path / "old", "--vcs-ref", "v1.0.0", *QUIET)
    run("new", tmp_path / "now", *QUIET)
    assert not (tmp_path / "old/new.txt").exists()
    assert (tmp_path / "now/new.txt").exists()
    assert "_commit: v1.0.0\n" in (tmp_path / "old/.copier-answers.yml").read_text()


def test_a_url_renders_the_newest_release(run: Run, small: Path, tmp_path: Path) -> None:
    git(small, "tag", "v1.0.0")
    write(small / "template/unreleased.txt", "soon\n")
    commit_all(small, "Unreleased")
    done = run("new", tmp_path / "made", "--template", f"file://{small}", *QUIET)
    assert (done.status, done.err) == (0, "")
    assert not (tmp_path / "made/unreleased.txt").exists()
    assert f"_src_path: git+file://{small}\n" in (tmp_path / "made/.copier-answers.yml").read_text()


def test_a_published_template_is_recorded_by_its_url_without_credentials(run: Run, small: Path, tmp_path: Path) -> None:
    git(small, "remote", "add", "backup", str(tmp_path / "backup"))
    git(small, "remote", "add", "origin", "https://me:secret@example.com/team/omnistack.git")
    done = run("new", tmp_path / "unpublished", *QUIET)
    assert f"records its template as {small}, a folder of this machine" in done.out
    assert source_of(tmp_path / "unpublished") == str(small)
    git(small, "update-ref", "refs/remotes/origin/main", "HEAD")
    done = run("new", tmp_path / "published", *QUIET)
    assert "a folder of this machine" not in done.out
    assert source_of(tmp_path / "published") == "git+https://example.com/team/omnistack.git"


def source_of(project: Path) -> object:
    return yaml.safe_load((project / ".copier-answers.yml").read_text())["_src_path"]


@pytest.mark.parametrize("refused", [True, False])
def test_line_endings_and_attributes_of_the_user_change_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    (tmp_path / "attributes").write_text("*.py eol=crlf\n")
    config = f"[core]\nautocrlf = true\nsafecrlf = {str(refused).lower()}\nattributesFile = {tmp_path / 'attributes'}\n"
    (tmp_path / "gitconfig").write_text(config)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert run("new", tmp_path / "made", *QUIET).status == 0
    stored = subprocess.run(["git", "show", "HEAD:app/main.py"], cwd=tmp_path / "made", capture_output=True, check=True)
    assert stored.stdout == b'"""The application."""\n'


@pytest.mark.slow
def test_the_packages_are_locked_committed_and_installed(run: Run, tmp_path: Path) -> None:
    done = run("new", tmp_path / "made", "--defaults")
    assert (done.status, done.err) == (0, "")
    assert "uv.lock" in git(tmp_path / "made", "ls-files").splitlines()
    assert (tmp_path / "made/.venv/pyvenv.cfg").is_file()
    assert git(tmp_path / "made", "status", "--porcelain") == ""
