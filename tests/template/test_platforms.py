"""The code of a rendered project uses no name that macOS or Windows lacks, unless it checks the platform first.

The executed suites check all types for each platform, with the project's packages. This check needs no packages: it
follows no imports and looks at the names of the standard library only.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
PLATFORM_MODULES = re.compile(
    r"^\s*(import|from) (asyncio|ctypes|fcntl|grp|mmap|multiprocessing|os|pwd|resource|select|selectors|shutil|signal"
    r"|socket|stat|subprocess|tempfile|termios|threading|time|tty)\b",
    re.MULTILINE,
)
"""Imports of modules whose content depends on the platform."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("platforms")
    write(Renderer(ROOT).render({"preset": "everything"}), folder)
    return folder


def missing_names(folder: Path, platform: str, *paths: str) -> Iterator[str]:
    """Yield mypy's complaints about modules and types of the standard library that lack a name."""
    options = ("--config-file", "", "--no-incremental", "--follow-imports", "skip", "--ignore-missing-imports")
    command = [sys.executable, "-m", "mypy", *options, "--platform", platform, *paths]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode < 2, done.stdout + done.stderr
    yield from (line for line in done.stdout.splitlines() if "[attr-defined]" in line)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_every_name_exists(project: Path, platform: str) -> None:
    files = [
        str(path.relative_to(project))
        for path in sorted(project.rglob("*.py"))
        if PLATFORM_MODULES.search(path.read_text(encoding="utf-8"))
    ]
    assert len(files) > 100
    assert list(missing_names(project, platform, *files)) == []


def test_a_name_that_windows_lacks_is_found(project: Path) -> None:
    (project / "faulty.py").write_text("import os\n\nprint(os.geteuid())\n", encoding="utf-8")
    assert list(missing_names(project, "win32", "faulty.py"))
    assert not list(missing_names(project, "darwin", "faulty.py"))


def test_make_lists_its_targets_with_the_programs_of_macos(project: Path) -> None:
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    listed = subprocess.run(["make", "help"], cwd=project, capture_output=True, text=True, check=True).stdout
    assert "install     Install the packages and the git hooks\n" in listed
    assert len(listed.splitlines()) > 15
    # The sed of macOS writes a `t` for it, and its grep has no -P.
    assert not re.search(r"\bsed\b.*\\t|\bgrep -\w*P|\breadlink -f|\bsed -i", makefile)


def test_the_readme_has_the_commands_of_make(project: Path) -> None:
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    targets = dict(re.findall(r"^(dev|test|test-all|migrate): ## .*\n\t(uv run .*)$", makefile, re.MULTILINE))
    assert len(targets) == 4
    (checks,) = re.findall(r"for check in (.*); do", makefile)
    commands = [*targets.values(), *(f"uv run {check}" for check in re.findall(r'"([^"]+)"', checks))]
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert [command for command in commands if f"`{command}`" not in readme] == []


def test_make_lint_runs_every_check_and_names_those_that_failed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "uv").write_text('#!/bin/sh\necho "ran $*"\ncase "$*" in *ruff*) exit 1;; esac\n')
    (tmp_path / "uv").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["make", "lint"], cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode
    assert re.findall(r"^ran run (\S+)", done.stdout, re.MULTILINE) == ["ruff", "ruff", "mypy", "lint-imports"]
    assert "Failed: ruff ruff" in done.stdout
