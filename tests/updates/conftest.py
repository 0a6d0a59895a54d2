"""Real git repositories: a template with two releases, and projects rendered from it."""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from copier import run_copy
from omnistack.shell.process import run

from tests.updates.workshop import ENV, V1, MakeProject, Project, Repository, make_releases


@pytest.fixture(scope="session", autouse=True)
def _fast_environment(plain_environment: None) -> Iterator[None]:
    """Keep temporary repositories in memory, and compiled files for the next command."""
    del plain_environment
    with pytest.MonkeyPatch.context() as patch:
        # Without it every command would compile everything that it imports anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        if os.access("/dev/shm", os.W_OK):  # noqa: S108 - in memory: each update makes six temporary repositories
            patch.setattr(tempfile, "tempdir", "/dev/shm")  # noqa: S108 - as above
        yield


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A small template with the tags v1.0.0 and v2.0.0. Not to be changed: clone it."""
    return make_releases(tmp_path_factory.mktemp("releases") / "template", complete=False)


@pytest.fixture(scope="session")
def complete_releases(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The complete template with the tags v1.0.0 and v2.0.0. Not to be changed: clone it."""
    return make_releases(tmp_path_factory.mktemp("complete") / "template", complete=True)


@pytest.fixture(scope="session")
def fresh(releases: Repository, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Render a release with these answers; the same only once, so that the folder is not to be changed."""
    return _renders(releases, tmp_path_factory)


@pytest.fixture(scope="session")
def complete_fresh(complete_releases: Repository, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """As `fresh`, from the complete template."""
    return _renders(complete_releases, tmp_path_factory)


def _renders(template: Repository, folders: pytest.TempPathFactory) -> Callable[..., Path]:
    rendered: dict[str, Path] = {}

    def render_once(version: str = V1, **answers: str | bool) -> Path:
        key = f"{version} {sorted(answers.items())}"
        if key not in rendered:
            folder = folders.mktemp("render") / "project"
            with warnings.catch_warnings(action="ignore"):
                run_copy(str(template.root), folder, data=answers, vcs_ref=version, defaults=True, quiet=True)
            rendered[key] = folder
        return rendered[key]

    return render_once


@pytest.fixture(scope="session")
def python(complete_fresh: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what a project of every piece needs, without the project, once for all tests."""
    folder = tmp_path_factory.mktemp("environment") / "project"
    shutil.copytree(complete_fresh(preset="everything"), folder)
    run(["uv", "sync", "--quiet", "--no-install-project", "--python", sys.executable], cwd=folder)
    return folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture
def project(fresh: Callable[..., Path], tmp_path: Path) -> MakeProject:
    """Make a project from a release, committed, with a `.env` and a cache that git ignores."""
    return _projects(fresh, tmp_path)


@pytest.fixture
def complete_project(complete_fresh: Callable[..., Path], tmp_path: Path) -> MakeProject:
    """As `project`, from the complete template."""
    return _projects(complete_fresh, tmp_path)


def _projects(fresh: Callable[..., Path], folders: Path) -> MakeProject:
    def make(version: str = V1, folder: str = "project", **answers: str | bool) -> Project:
        made = Project(folders / folder)
        shutil.copytree(fresh(version, **answers), made.root)
        made.start()
        made.write(".git/info/exclude", ".env\n__pycache__/\n")
        made.write(".env", ENV)
        made.write("app/__pycache__/main.cpython-312.pyc", "compiled")
        return made

    return make
