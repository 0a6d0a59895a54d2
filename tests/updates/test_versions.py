"""Which version `omnistack update` goes to, and what it says when there is none, or none to be found."""

import shutil
from pathlib import Path

import pytest

from tests.updates.workshop import V1, V2, MakeProject, Project, Repository, omnistack


@pytest.fixture
def template(releases: Repository, tmp_path: Path) -> Repository:
    """A template of the test's own."""
    return releases.clone(tmp_path / "template")


def test_the_newest_release_has_nothing_to_update(project: MakeProject) -> None:
    made = project(V2)
    ran = made.omnistack("update")
    assert ran.status == 0
    assert ran.out == "Nothing to do: the project is at v2.0.0, the newest version.\n"
    assert made.status == ""


def test_a_project_from_after_the_newest_release_is_not_taken_back_to_it(
    template: Repository, project: MakeProject
) -> None:
    template.write("template/docs/handbook.md", "Between releases.\n")
    later = template.commit("Later")
    made = moved(project(V2), template)
    assert made.omnistack("update", "--to", later).status == 0
    made.commit("Later")
    ran = made.omnistack("update")
    assert ran.status == 0
    assert "is newer than the last release, v2.0.0" in ran.out
    assert made.status == ""
    assert made.read("docs/handbook.md") == "Between releases.\n"


def test_a_prerelease_is_only_taken_when_it_is_named(template: Repository, project: MakeProject) -> None:
    template.write("template/docs/handbook.md", "Soon.\n")
    template.commit("Soon", "v3.0.0rc1")
    made = moved(project(V2), template)
    assert "Nothing to do" in made.omnistack("update").out
    ran = made.omnistack("update", "--to", "v3.0.0rc1")
    assert ran.status == 0, ran.text
    assert made.read("docs/handbook.md") == "Soon.\n"


def test_without_any_release_the_newest_commit_is_taken_and_nothing_uncommitted(
    template: Repository, project: MakeProject
) -> None:
    template.git("tag", "--delete", V1, V2)
    made = moved(project(), template, version=template.git("rev-parse", "HEAD~1").strip())
    template.write("template/docs/handbook.md", "Not committed yet.\n")
    ran = made.omnistack("update")
    assert ran.status == 0, ran.text
    assert "Line 5, second edition" in made.read("docs/handbook.md")
    commit = str(made.answers()["_commit"])
    assert template.git("rev-parse", commit) == template.git("rev-parse", "HEAD")


def test_a_branch_can_be_named(template: Repository, project: MakeProject) -> None:
    template.git("switch", "--quiet", "--create", "trial")
    template.write("template/docs/handbook.md", "A trial.\n")
    template.commit("A trial")
    template.git("switch", "--quiet", "main")
    made = moved(project(V2), template)
    assert made.omnistack("update", "--to", "trial").status == 0
    assert made.read("docs/handbook.md") == "A trial.\n"


def test_an_older_version_is_refused(project: MakeProject) -> None:
    made = project(V2)
    ran = made.omnistack("update", "--to", V1)
    assert ran.status == 1
    assert "v1.0.0 is older than the project's version, v2.0.0" in ran.err
    assert "own git history" in ran.err


def test_an_unknown_version_is_refused_with_those_that_there_are(project: MakeProject) -> None:
    ran = project().omnistack("update", "--to", "v9")
    assert ran.status == 1
    assert "no version 'v9'" in ran.err
    assert "v2.0.0, v1.0.0" in ran.err


@pytest.mark.parametrize("name", ["--upload-pack=touch /tmp/x", "v1.0.0 --", "", "HEAD:copier.yml"])
def test_a_version_is_a_version_and_nothing_else(project: MakeProject, name: str) -> None:
    ran = project().omnistack("update", f"--to={name}")
    assert ran.status == 1
    assert "the template has no version" in ran.err


def test_a_template_that_moved_is_found_by_its_new_place_which_is_recorded(
    template: Repository, project: MakeProject
) -> None:
    made = moved(project(), template, source="/nowhere/template")
    ran = made.omnistack("update")
    assert ran.status == 1
    assert "/nowhere/template" in ran.err
    assert "--template PATH_OR_URL" in ran.err
    assert made.status == ""
    ran = made.omnistack("update", "--template", str(template.root))
    assert ran.status == 0, ran.text
    assert made.answers()["_src_path"] == str(template.root)
    made.commit("Moved")
    assert "Nothing to do" in made.omnistack("update").out


def test_the_new_place_is_recorded_even_when_nothing_else_is_new(template: Repository, project: MakeProject) -> None:
    made = project(V2)
    ran = made.omnistack("update", "--template", str(template.root))
    assert ran.status == 0, ran.text
    assert made.status == "M  .copier-answers.yml\n"
    assert made.answers()["_src_path"] == str(template.root)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere", "a folder that does not exist on this machine"),
        ("http://127.0.0.1:9/template.git", "cannot be reached"),
        ("git@127.0.0.1:template.git", "cannot be reached"),
    ],
)
def test_a_template_out_of_reach_is_an_error_that_says_how_to_point_at_it(
    template: Repository, project: MakeProject, source: str, says: str
) -> None:
    made = moved(project(), template, source=source)
    for command in (("update",), ("add", "clock"), ("remove", "clock")):
        ran = made.omnistack(*command)
        assert ran.status == 1
        assert says in ran.err
        assert "--template PATH_OR_URL" in ran.err
        assert ran.err.count("\n") == 1


def test_a_project_from_uncommitted_changes_is_told_so(template: Repository, project: MakeProject) -> None:
    made = moved(project(), template, version="0123abc")
    ran = made.omnistack("update")
    assert ran.status == 1
    assert "0123abc" in ran.err
    assert "never pushed or committed" in ran.err
    assert "set _commit" in ran.err


def test_a_folder_without_git_is_no_template_to_update_from(
    template: Repository, project: MakeProject, tmp_path: Path
) -> None:
    shutil.copytree(template.root / "template", tmp_path / "plain")
    ran = project().omnistack("update", "--template", str(tmp_path / "plain"))
    assert ran.status == 1
    assert "is not a git repository" in ran.err


def test_another_template_is_none_of_ours(project: MakeProject, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.write("copier.yml", "name: {type: str}\n")
    other.start()
    made = moved(project(), other, version=other.git("rev-parse", "HEAD").strip())
    ran = made.omnistack("add", "clock")
    assert ran.status == 1
    assert "is not an OmniStack template" in ran.err


def test_changes_that_are_not_committed_are_refused_and_named(project: MakeProject) -> None:
    made = project()
    made.write("mine.txt", "Mine.\n")
    made.edit("docs/handbook.md", "Line 1\n", "Line one\n")
    before = made.files()
    for command in (("update",), ("add", "clock"), ("remove", "projects")):
        ran = made.omnistack(*command)
        assert ran.status == 1
        assert "docs/handbook.md, mine.txt" in ran.err
        assert "git stash -u" in ran.err
    assert made.files() == before


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    missing = "no .copier-answers.yml in it or above it"
    for folder, says in ((tmp_path, missing), (tmp_path / "none", "it does not exist")):
        ran = omnistack("update", "--project", str(folder))
        assert ran.status == 1
        assert says in ran.err


def test_a_project_outside_git_is_refused_with_the_command_that_puts_it_there(project: MakeProject) -> None:
    made = project()
    shutil.rmtree(made.root / ".git")
    ran = made.omnistack("add", "clock")
    assert ran.status == 1
    assert "git init && git add -A && git commit" in ran.err
    made.git("init", "--quiet")
    assert "has no commit yet" in made.omnistack("add", "clock").err


def test_an_answers_file_that_cannot_be_used_is_refused(project: MakeProject) -> None:
    made = project()
    file = made.root / ".copier-answers.yml"
    text = file.read_text()
    for content, says in (
        (f"<<<<<<< before updating\nauth: clerk\n=======\n{text}", "conflict markers"),
        ("", "contains no answers"),
        (text.replace("_commit:", "commit:"), "does not record which version"),
    ):
        file.write_text(content)
        made.commit("Broken")
        ran = made.omnistack("update")
        assert ran.status == 1
        assert says in ran.err


def moved(made: Project, template: Repository, *, source: str = "", version: str = "") -> Project:
    """Let a project say that it comes from somewhere else."""
    answers = made.answers()
    made.edit(".copier-answers.yml", f"_src_path: {answers['_src_path']}", f"_src_path: {source or template.root}")
    if version:
        made.edit(".copier-answers.yml", f"_commit: {answers['_commit']}", f"_commit: {version}")
    made.commit("Another origin")
    return made
