"""Bad input and failures on the way: one clear line, nothing made, nothing lost."""

import os
from pathlib import Path

import pytest

from tests.conftest import commit_all, git
from tests.tool.conftest import Run, files_in, write

QUIET = ("--defaults", "--no-sync")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Where nothing may be left."""
    return tmp_path / "work/deep/made"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-d", "project_slug=Bad Slug"], "project_slug: Use lower-case letters"),
        (["-d", "project_name="], "project_name: Enter 1 to 60 printable characters"),
        (["-d", "author_email=nobody"], 'author_email: Enter an email address, for example "me@example.com"'),
        (["-d", "auth=okta"], "auth: 'okta' is not a valid answer. choose one of custom, supabase, clerk."),
        (["-d", "python_version=2.7"], "choose one of 3.12, 3.13, 3.14."),
        (["-d", "projects=perhaps"], "write projects=true or projects=false."),
        (["-d", "projcts=true"], "there is no question 'projcts'. did you mean projects"),
        (["-d", "chosen=[]"], "there is no question 'chosen'"),
        (["-d", "auth"], "write key=value, for example -d auth=clerk."),
        (["-d", "=clerk"], "write key=value"),
        (["--preset", "huge"], "preset: 'huge' is not a valid answer. choose one of minimal, saas,"),
        (["--answers", "/nowhere.yml"], "the answers file /nowhere.yml cannot be read: No such file"),
        (["--vcs-ref", "v9"], "the template has no version 'v9'. its newest tags are: none."),
        (["--template", "/nowhere"], "there is no template at /nowhere. name a folder that holds copier.yml"),
        (["--start"], "--start needs the packages. leave out --no-sync."),
        (["--colour"], "No such option: --colour"),
    ],
)
def test_bad_input_is_one_line(run: Run, made: Path, arguments: list[str], says: str) -> None:
    done = run("new", made, *arguments, *QUIET)
    assert done.status in {1, 2}
    assert says in done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert not made.parents[1].exists()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yml", "auth: [", "is not valid YAML"),
        ("a.json", "{", "is not valid JSON"),
        ("a.yml", "- auth", "contains no answers"),
        ("a.yml", "auth: ", "auth: None is not a text"),
        ("a.yml", "project_name: true", "put it in quotes"),
        ("a.yml", "projects: 3", "neither true nor false"),
    ],
)
def test_a_bad_answers_file_is_one_line(
    run: Run, made: Path, tmp_path: Path, *, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    done = run("new", made, "--answers", tmp_path / name, *QUIET)
    assert done.status == 1
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not made.exists()


def test_questions_without_a_terminal_name_the_way_out(run: Run, made: Path) -> None:
    done = run("new", made)
    assert done.status == 1
    assert "the questions can only be asked in a terminal. add --defaults" in done.err


def test_a_folder_with_something_in_it_is_left_alone(run: Run, made: Path) -> None:
    write(made / "thesis.txt", "years of work")
    done = run("new", made, *QUIET)
    assert done.status == 1
    assert "exists and is not empty" in done.err
    assert files_in(made) == {"thesis.txt"}


def test_a_path_in_which_uv_cannot_run_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("new", tmp_path / f"a{os.pathsep}b" / "made", *QUIET)
    assert done.status == 1
    assert "which separates folders in PATH" in done.err
    assert list(tmp_path.glob("a*")) == []


def test_a_file_in_the_way_is_left_alone(run: Run, made: Path) -> None:
    write(made, "years of work")
    assert "exists and is not a folder" in run("new", made, *QUIET).err
    assert "is not a folder" in run("new", made / "below", *QUIET).err
    assert made.read_text() == "years of work"


@pytest.mark.parametrize("name", ["template/app/main.py", "template/new.py", "extensions/catalog/core.yml"])
def test_uncommitted_changes_of_the_template_are_refused(run: Run, small: Path, made: Path, name: str) -> None:
    with (small / name).open("a") as file:
        file.write("# changed\n")
    done = run("new", made, *QUIET)
    assert done.status == 1
    assert f"the template has uncommitted changes ({name})" in done.err
    assert "commit or stash them" in done.err
    assert not made.exists()


def test_what_uv_does_to_the_templates_own_lock_file_is_no_change(run: Run, small: Path, made: Path) -> None:
    write(small / "uv.lock", "version = 1\n")
    commit_all(small, "Lock")
    write(small / "uv.lock", "version = 2\n")
    assert run("new", made, *QUIET).status == 0


def test_notes_beside_the_template_are_no_change(run: Run, small: Path, made: Path) -> None:
    write(small / "notes/mine.txt", "")
    assert run("new", made, *QUIET).status == 0


def test_a_template_without_a_commit_is_refused(run: Run, small: Path, made: Path) -> None:
    (small / ".git").rename(small.parent / "elsewhere")
    assert "is not a git checkout (fatal: not a git repository" in run("new", made, *QUIET).err


def test_a_folder_of_another_repository_is_no_template(run: Run, small: Path, made: Path, tmp_path: Path) -> None:
    (small / ".git").rename(tmp_path / ".git")
    assert f"is not a git repository of its own, but a folder of {tmp_path}" in run("new", made, *QUIET).err


def test_a_place_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("new", tmp_path / "work" / ("x" * 300), *QUIET)
    assert done.status == 1
    assert "File name too long. choose another destination." in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("template/zz.txt.jinja", "{{ nothing_of_that_name }}", "'nothing_of_that_name' is undefined"),
        ("template/zz.txt.jinja", "{% if %}", "cannot be rendered"),
        ("template/.gitignore.jinja", ".venv/\n", "does not ignore .env"),
        ("extensions/catalog/core.yml", "name: core\n", "extensions/catalog/core.yml: label: Field required"),
    ],
)
def test_a_failure_half_way_leaves_nothing(
    run: Run, small: Path, made: Path, *, name: str, text: str, says: str
) -> None:
    (small / name).write_text(text)
    commit_all(small, "Broken")
    done = run("new", made, *QUIET)
    assert done.status == 1
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not made.parents[1].exists()


def test_a_failure_leaves_an_empty_destination_empty(run: Run, small: Path, made: Path) -> None:
    made.mkdir(parents=True)
    write(small / "template/.gitignore.jinja", "")
    commit_all(small, "Broken")
    assert run("new", made, *QUIET).status == 1
    assert list(made.iterdir()) == []


def test_a_requirement_answered_with_no_is_refused(run: Run, small: Path, made: Path) -> None:
    add_billing(small)
    done = run("new", made, "-d", "billing=true", "-d", "projects=false", *QUIET)
    assert done.status == 1
    assert "billing: billing requires projects: set projects=true, or billing=false." in done.err


def test_a_requirement_that_a_default_leaves_out_is_refused(run: Run, small: Path, made: Path) -> None:
    add_billing(small, before="projects")
    done = run("new", made, "-d", "preset=minimal", "-d", "billing=true", *QUIET)
    assert "billing requires projects" in done.err
    assert not made.exists()


@pytest.mark.slow
def test_packages_that_cannot_be_had_leave_the_project_whole(run: Run, small: Path, made: Path, tmp_path: Path) -> None:
    pyproject = small / "template/pyproject.toml.jinja"
    wanted = f'dependencies = ["nowhere-to-be-had @ file://{tmp_path}/nowhere"]'
    pyproject.write_text(pyproject.read_text().replace("dependencies = []", wanted))
    commit_all(small, "A package that is not there")
    done = run("new", made, "--defaults")
    assert done.status == 1
    assert "the project itself is complete" in done.err
    assert f"cd {made} && uv sync" in done.err
    assert done.err.count("\n") == 1
    assert git(made, "status", "--porcelain") == ""
    assert (made / ".env").is_file()


def add_billing(small: Path, before: str | None = None) -> None:
    """Add a piece with a question that needs another question's yes."""
    catalog = small / "extensions/catalog"
    text = (catalog / "projects.yml").read_text()
    text = text.replace("name: projects", "name: billing", 1).replace("requires: [core, users]", "requires: [projects]")
    text = text.replace("label: Projects", "label: Billing").replace("module: projects", "module: billing")
    text = "\n".join("paths: [app/billing]" if line.startswith("paths:") else line for line in text.splitlines())
    (catalog / "billing.yml").write_text(text + "\n")
    questions = (small / "copier.yml").read_text()
    start = questions.index("projects:\n  type: bool")
    end = questions.index("# --- what follows")
    asked = questions[start : questions.find("\n\n", start) + 2]
    mine = asked.replace("projects", "billing").replace("Projects: ", "Billing: ")
    at = start if before else end
    (small / "copier.yml").write_text(questions[:at] + mine + questions[at:])
    commit_all(small, "Billing")
