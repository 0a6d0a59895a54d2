"""The commands of docs/guide/updating.md for those who use Copier and nothing else."""

import subprocess
import sys

import pytest

from tests.updates.test_update import contents
from tests.updates.workshop import MakeProject, Project

CURRENT = "--vcs-ref=:current:"


def copier_update(made: Project, *arguments: str) -> int:
    command = [sys.executable, "-m", "copier", "update", "--defaults", "--quiet", *arguments]
    return subprocess.run(command, cwd=made.root, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("plain", "command"),
    [
        ([], ["update"]),
        ([CURRENT, "-d", "clock=true"], ["add", "clock"]),
        ([CURRENT, "-d", "projects=false"], ["remove", "projects", "--yes"]),
        ([CURRENT, "-d", "auth=clerk"], ["add", "clerk"]),
    ],
)
def test_they_do_what_omnistack_does(project: MakeProject, plain: list[str], command: list[str]) -> None:
    theirs, ours = project(folder="plain"), project(folder="tool")
    assert copier_update(theirs, *plain) == 0
    assert ours.omnistack(*command).status == 0
    assert contents(theirs.root) == contents(ours.root)


def test_without_a_version_an_answer_also_updates_as_the_page_warns(project: MakeProject) -> None:
    made = project()
    assert copier_update(made, "-d", "clock=true") == 0
    assert made.answers()["_commit"] == "v2.0.0"


def test_conflicts_exit_with_0_as_the_page_warns_and_git_finds_them(project: MakeProject) -> None:
    made = project()
    made.edit("docs/handbook.md", "Line 5\n", "Line 5, mine\n")
    made.commit("Mine")
    assert copier_update(made) == 0
    assert "UU docs/handbook.md" in made.status
    check = subprocess.run(["git", "diff", "--check"], cwd=made.root, capture_output=True, text=True, check=False)
    assert "leftover conflict marker" in check.stdout


def test_a_missing_requirement_is_refused_and_named(project: MakeProject) -> None:
    made = project()
    command = [sys.executable, "-m", "copier", "update", "--defaults", CURRENT, "-d", "cron=true"]
    done = subprocess.run(command, cwd=made.root, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "clock" in done.stdout + done.stderr
