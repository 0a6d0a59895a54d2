"""The commands of docs/guide/updating.md for those who use Copier and nothing else."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from copier import run_copy

from tests.updates.test_update import contents
from tests.updates.test_versions import moved
from tests.updates.workshop import V2, MakeProject, Project, Repository, write_piece

CURRENT = "--vcs-ref=:current:"


def copier_update(made: Project, *arguments: str) -> int:
    command = [sys.executable, "-m", "copier", "update", "--defaults", "--quiet", *arguments]
    return subprocess.run(command, cwd=made.root, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode


def omnistack_update(made: Project) -> int:
    return made.omnistack("update").status


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


def test_a_template_folder_of_another_machine_is_replaced_by_a_url_as_the_page_says(
    releases: Repository, project: MakeProject
) -> None:
    made = project()
    made.edit(".copier-answers.yml", f"_src_path: {made.answers()['_src_path']}", "_src_path: /home/ada/omnistack")
    made.commit("Rendered on another machine")
    command = [sys.executable, "-m", "copier", "update", "--defaults", "--quiet"]
    failed = subprocess.run(command, cwd=made.root, capture_output=True, text=True, check=False)
    assert failed.returncode != 0
    assert failed.stderr.rstrip().endswith("Local template must be a directory.")
    # Whoever opens the file that Copier reads finds what to do.
    assert "set it to the URL of the template's git repository" in made.read(".copier-answers.yml")
    made.edit(".copier-answers.yml", "_src_path: /home/ada/omnistack", f"_src_path: git+{releases.root.as_uri()}")
    made.commit("The template's URL")
    assert copier_update(made) == 0
    assert made.answers()["_commit"] == V2


def test_without_a_version_an_answer_also_updates_as_the_page_warns(project: MakeProject) -> None:
    made = project()
    assert copier_update(made, "-d", "clock=true") == 0
    assert made.answers()["_commit"] == "v2.0.0"


def test_a_preset_answers_once_and_an_update_turns_nothing_on(
    releases: Repository, project: MakeProject, tmp_path: Path
) -> None:
    template = releases.clone(tmp_path / "template")
    write_piece(template, "later", presets=["saas"])
    filled_in = "{% from 'extensions/catalog/presets.jinja' import includes with context %}{{ includes('later') }}"
    template.edit("copier.yml", 'help: "later?"\n  default: false', f'help: "later?"\n  default: "{filled_in}"')
    template.commit("Three", "v3.0.0")
    for update in (copier_update, omnistack_update):
        made = moved(project(preset="saas", folder=f"project-{update.__name__}"), template)
        assert update(made) == 0
        assert made.answers()["_commit"] == "v3.0.0"
        assert made.answers()["later"] is False
        assert not (made.root / "app/later").exists()
    with warnings.catch_warnings(action="ignore"):
        run_copy(str(template.root), tmp_path / "new", data={"preset": "saas"}, defaults=True, quiet=True)
    assert (tmp_path / "new/app/later/__init__.py").is_file()


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
