"""What all tests share: git that knows nobody's settings, and a copy of the template to change at will."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
GIT_CONFIG = """\
[user]
name = A Tester
email = tester@example.com
[init]
defaultBranch = main
[commit]
gpgSign = false
"""


@pytest.fixture(scope="session", autouse=True)
def plain_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the settings of whoever runs the tests out."""
    config = tmp_path_factory.mktemp("git") / "config"
    config.write_text(GIT_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("COPIER", "GIT", "OMNISTACK"))]:
            patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        settings = config.with_name("copier.yml")
        settings.write_text("defaults: {}\n")
        patch.setenv("COPIER_SETTINGS_PATH", str(settings))
        patch.setenv("COPIER_CACHE_DIR", str(tmp_path_factory.mktemp("copier")))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what tests have counted, over all workers."""
    counted = [
        value
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, value in report.user_properties
        if name == "conflicts"
    ]
    if counted:
        terminalreporter.write_line(f"flips there and back: {len(counted)}, conflicts: {sum(counted)}")


@pytest.fixture(scope="session")
def committed_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it lies in this checkout, committed to a repository of its own. Not to be changed."""
    root = tmp_path_factory.mktemp("template") / "template-repo"
    for part in ("template", "extensions"):
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", "omnistack")
        shutil.copytree(CHECKOUT / part, root / part, ignore=ignored)
    shutil.copy2(CHECKOUT / "copier.yml", root)
    commit_all(root, "The template", first=True)
    return root


@pytest.fixture
def template_repo(committed_template: Path, tmp_path: Path) -> Path:
    """A repository with the template, to change at will."""
    git(tmp_path, "clone", "--quiet", "--shared", str(committed_template), "template-repo")
    return tmp_path / "template-repo"


def commit_all(root: Path, message: str, *, first: bool = False, tag: str | None = None) -> None:
    """Commit all there is."""
    if first:
        git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    if tag:
        git(root, "tag", tag)


def git(root: Path, *arguments: str) -> str:
    """Run git and return its output."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
