"""No git setting of the user's decides which files of the template arrive, or what they contain."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.updates.test_update import contents
from tests.updates.workshop import V2, MakeProject

IGNORED_EVERYWHERE = "core\narriving.md\n*.orig\n"


def as_stored(folder: Path) -> dict[str, bytes]:
    """Return the files as git stores them: with `autocrlf` they have other line ends on the disk."""
    return {path: content.replace(b"\r\n", b"\n") for path, content in contents(folder).items()}


@pytest.mark.parametrize(
    "setting",
    [
        "[core]\nexcludesFile = {folder}/ignored\n",
        "[core]\nattributesFile = {folder}/attributes\n",
        "[core]\nautocrlf = true\nsafecrlf = true\n",
        "[core]\nhooksPath = {folder}/hooks\n[apply]\nwhitespace = error\n[diff]\nnoprefix = true\n",
        "[commit]\ngpgSign = true\n[status]\nshowUntrackedFiles = no\n[clone]\ndefaultRemoteName = upstream\n",
    ],
    ids=["ignored everywhere", "attributes", "autocrlf", "hooks and diffs", "signatures and status"],
)
def test_an_update_is_the_same_with_every_git_setting(
    project: MakeProject, fresh: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    (tmp_path / "ignored").write_text(IGNORED_EVERYWHERE)
    (tmp_path / "attributes").write_text("*.md binary\n*.py eol=crlf\n")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "hooks/pre-commit").chmod(0o755)
    made = project()
    (tmp_path / "gitconfig").write_text(setting.format(folder=tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    ran = made.omnistack("update")
    assert ran.status == 0, ran.text
    assert as_stored(made.root) == as_stored(fresh(V2))
    assert {"A  docs/arriving.md", "D  docs/leaving.md"} <= set(made.status.splitlines())


def test_an_ignore_rule_of_the_project_drops_no_file_of_an_update(project: MakeProject) -> None:
    made = project()
    made.write(".gitignore", f"{made.read('.gitignore')}arriving.md\n")
    made.commit("My own rule")
    ran = made.omnistack("update")
    assert ran.status == 0, ran.text
    assert "A  docs/arriving.md" in made.status


def test_other_line_ends_on_the_disk_are_not_edits(
    project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text("[core]\nautocrlf = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    made = project()
    shutil.rmtree(made.root / "app/projects")
    made.git("checkout", "--quiet", "--", ".")  # writes the files again, with CRLF
    file = "app/projects/repository.py"
    assert b"\r\n" in (made.root / file).read_bytes()
    ran = made.omnistack("remove", "projects", "--dry-run")
    assert ran.status == 0, ran.text
    assert "you edited them" not in ran.out
