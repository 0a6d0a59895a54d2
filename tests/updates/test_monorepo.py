"""A project in a folder of a larger repository, from its creation to an update."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.updates.test_update import contents
from tests.updates.workshop import V1, V2, MakeProject, Project, Repository, omnistack

RECORDING = '#!/bin/sh\necho "$@" >> {log}\n'


@pytest.fixture
def mono(tmp_path: Path) -> Repository:
    """A repository that holds more than the project."""
    made = Repository(tmp_path / "mono")
    made.write("frontend/index.html", "<p>\n")
    made.start()
    return made


def make_install(folder: Path, log: Path) -> str:
    """Run `make install` with a `uv` that only records its arguments."""
    programs = log.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "uv").write_text(RECORDING.format(log=log))
    (programs / "uv").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["make", "install"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return f"{done.stdout}{log.read_text()}"


def test_it_is_created_there_installed_changed_and_updated_and_the_rest_stays_untouched(
    releases: Repository, mono: Repository, tmp_path: Path, fresh: Callable[..., Path]
) -> None:
    made = Project(mono.root / "backend")
    template = ("--template", str(releases.root), "--vcs-ref", V1)
    # The releases of the tests have no files of deployment, which the Makefile would include.
    answers = ("-d", "own_server=false")
    ran = omnistack("new", str(made.root), "--defaults", "--no-sync", "--no-git", *answers, *template)
    assert ran.status == 0, ran.text
    assert "git add . && git commit" in ran.out
    assert not (made.root / ".git").exists()
    assert ".env" not in mono.git("status", "--porcelain", "--untracked-files=all").split()
    mono.commit("Backend")

    told = make_install(made.root, tmp_path / "uv.log")
    assert "pre-commit" not in told.replace("pre-commit hooks were not installed", "")
    assert not (mono.root / ".git/hooks/pre-commit").exists()
    mono.commit("Commits still work")

    assert made.omnistack("add", "clock").status == 0
    assert (made.root / "app/clock/__init__.py").is_file()
    mono.commit("Clock")
    ran = omnistack("update", "--project", str(made.root / "app"), "--no-sync")  # from any folder of the project
    assert ran.status == 0, ran.text
    assert "restore --source=HEAD" in ran.out
    mono.commit("Update")
    assert contents(made.root) == contents(fresh(V2, clock=True, own_server=False))
    assert mono.read("frontend/index.html") == "<p>\n"
    assert not (mono.root / ".env").exists()


def test_what_the_outer_repository_ignores_is_committed_by_the_printed_commands(
    releases: Repository, mono: Repository
) -> None:
    (mono.root / ".gitignore").write_text("app/clock/\ncore\nREADME.md\n.env\n")
    made = mono.root / "backend"
    template = ("--template", str(releases.root), "--vcs-ref", V1)
    ran = omnistack("new", str(made), "--defaults", "--no-sync", "--no-git", *template)
    (force,) = [line for line in ran.out.splitlines() if "git add --force" in line]
    subprocess.run(force.split(), cwd=made, check=True)
    mono.commit("Backend")
    assert mono.git("ls-files", "--others", "backend").split() == ["backend/.env"]


def test_a_repository_of_its_own_gets_the_hooks(project: MakeProject, tmp_path: Path) -> None:
    assert "run pre-commit install" in make_install(project(own_server=False).root, tmp_path / "uv.log")


def test_without_an_outer_repository_there_is_nothing_to_be_a_folder_of(releases: Repository, tmp_path: Path) -> None:
    ran = omnistack(
        "new", str(tmp_path / "alone"), "--defaults", "--no-sync", "--no-git", "--template", str(releases.root)
    )
    assert ran.status == 1
    assert "is not inside a git repository" in ran.err
    assert not (tmp_path / "alone").exists()
