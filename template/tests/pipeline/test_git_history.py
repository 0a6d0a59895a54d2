"""The contract diff and the rehearsal of migrations, on a copy of this project with a history."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.dev.pipeline.contract import check_contract, is_announced
from app.dev.pipeline.worktree import checked_out
from app.kit.user_error import UserError
from tests.dev.project import ROOT, copy_project
from tests.pipeline.rehearsal import last_release, lost_rows, rehearse

HEALTH = "app/core/http/health.py"


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)  # noqa: S607 - git of the machine


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose only commit is a release, as the current folder."""
    folder = tmp_path / "project"
    copy_project(folder)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    # The second process in a folder finds its files compiled.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "First")
    git("tag", "v1.0.0")
    return folder


def edit(path: str, pattern: str, replacement: str, message: str = "Second") -> None:
    file = Path(path)
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), count=1)
    assert count == 1
    file.write_text(text, encoding="utf-8")
    git("commit", "--quiet", "--all", "--message", message)


@pytest.mark.usefixtures("history")
def test_a_break_of_the_contract_fails(capsys: pytest.CaptureFixture[str]) -> None:
    edit(HEALTH, r"degraded: list\[str\] = \[\]", 'more: str = ""\n    degrades: list[str] = []')
    assert check_contract("v1.0.0", ())
    changes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert changes == ["  GET /api/v1/public/health/ready: response 200.degraded: is no longer returned"]


@pytest.mark.usefixtures("history")
def test_a_commit_announces_a_break() -> None:
    git("commit", "--quiet", "--allow-empty", "--message", "Not a BREAKING CHANGE: in the text")
    assert not is_announced("v1.0.0")
    git("commit", "--quiet", "--allow-empty", "--message", "Rename\n\nBREAKING CHANGE: plainer")
    assert is_announced("v1.0.0")


@pytest.mark.usefixtures("history")
def test_an_unknown_commit_is_an_error() -> None:
    with pytest.raises(UserError, match="git worktree failed"):
        check_contract("v9", ())


@pytest.mark.usefixtures("history")
def test_the_last_release_is_the_newest_tag_before_this_commit() -> None:
    git("commit", "--quiet", "--allow-empty", "--message", "Second")
    assert last_release() == "v1.0.0"
    git("tag", "v1.1.0")
    assert last_release() == "v1.0.0"
    git("commit", "--quiet", "--allow-empty", "--message", "Third")
    git("tag", "other")
    assert last_release() == "v1.1.0"


def test_of_a_larger_repository_the_projects_folder_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "Before the project")
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "file").touch()
    git("add", "--all")
    git("commit", "--quiet", "--message", "The project")
    monkeypatch.chdir(tmp_path / "backend")
    with checked_out("HEAD") as folder:
        assert [path.name for path in folder.iterdir()] == ["file"]
    with pytest.raises(UserError, match="has no folder backend"), checked_out("HEAD^"):
        pass


def add_revision(operation: str) -> None:
    """Commit a revision of the users' tables that follows the newest one."""
    newest = max(Path("migrations/versions/users").glob("users_*.py"))
    parent = re.findall(r'^revision: str = "(\w+)"', newest.read_text(encoding="utf-8"), re.MULTILINE)[0]
    lines = (
        '"""Test."""',
        "import sqlalchemy as sa",
        "from alembic import op",
        'revision = "users_9999"',
        f'down_revision = "{parent}"',
        "branch_labels = None",
        "depends_on = None",
        "def upgrade() -> None:",
        f"    {operation}",
        "def downgrade() -> None:",
        "    pass",
    )
    newest.with_name("users_9999_test.py").write_text("\n".join(lines), encoding="utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "A revision")


@pytest.mark.usefixtures("history")
def test_the_last_releases_rows_are_migrated(capsys: pytest.CaptureFixture[str]) -> None:
    rehearse("v1.0.0", ())
    assert re.search(r"[1-9]\d* rows of v1.0.0 in \d+ tables were migrated", capsys.readouterr().out)


@pytest.mark.usefixtures("history")
def test_a_revision_that_fits_only_an_empty_database_fails() -> None:
    add_revision('op.add_column("users", sa.Column("more", sa.Integer(), nullable=False))')
    with pytest.raises(UserError, match=r'column "more" .* contains null values'):
        rehearse("v1.0.0", ())


def test_a_table_that_lost_rows_is_named() -> None:
    before, after = {"kept": 1, "emptied": 2, "dropped": 3}, {"kept": 1, "emptied": 0, "new": 0}
    assert lost_rows(before, after) == ["emptied: 2 before, 0 now"]
