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
    """A template with the tags v1.0.0 and v2.0.0. Not to be changed: clone it."""
    return make_releases(tmp_path_factory.mktemp("releases") / "template")


@pytest.fixture(scope="session")
def _renders() -> dict[str, Path]:
    return {}


@pytest.fixture(scope="session")
def fresh(
    releases: Repository, tmp_path_factory: pytest.TempPathFactory, _renders: dict[str, Path]
) -> Callable[..., Path]:
    """Render a release with these answers; the same only once, so that the folder is not to be changed."""

    def render_once(version: str = V1, **answers: str | bool) -> Path:
        key = f"{version} {sorted(answers.items())}"
        if key not in _renders:
            folder = tmp_path_factory.mktemp("render") / "project"
            with warnings.catch_warnings(action="ignore"):
                run_copy(str(releases.root), folder, data=answers, vcs_ref=version, defaults=True, quiet=True)
            _renders[key] = folder
        return _renders[key]

    return render_once


@pytest.fixture(scope="session")
def python(releases: Repository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what a project of every piece needs, without the project, once for all tests."""
    folder = tmp_path_factory.mktemp("environment") / "project"
    everything = {"preset": "everything"}
    with warnings.catch_warnings(action="ignore"):
        run_copy(str(releases.root), folder, data=everything, vcs_ref=V1, defaults=True, quiet=True)
    run(["uv", "sync", "--quiet", "--no-install-project", "--python", sys.executable], cwd=folder)
    return folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture
def project(fresh: Callable[..., Path], tmp_path: Path) -> MakeProject:
    """Make a project from a release, committed, with a `.env` and a cache that git ignores."""

    def make(version: str = V1, folder: str = "project", **answers: str | bool) -> Project:
        made = Project(tmp_path / folder)
        shutil.copytree(fresh(version, **answers), made.root)
        made.start()
        made.write(".git/info/exclude", ".env\n__pycache__/\n")
        made.write(".env", ENV)
        made.write("app/__pycache__/main.cpython-312.pyc", "compiled")
        return made

    return make
