"""What a user does who has Copier and nothing of ours: copy, get clear errors, update; without `--trust`."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml
from copier import run_copy

from tests.conftest import commit_all

ROOT = Path(__file__).resolve().parents[2]


def copier(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COPIER", "GIT"))}
    return subprocess.run(
        [sys.executable, "-m", "copier", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_copy_needs_no_trust_and_runs_nothing(committed_template: Path, tmp_path: Path) -> None:
    done = copier("copy", "--defaults", "--vcs-ref", "HEAD", str(committed_template), "made", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made/app/main.py").is_file()
    assert not (tmp_path / "made/.env").exists()
    assert "uv run app dev" in done.stderr


def test_the_answers_file_keeps_one_line_an_answer(committed_template: Path, tmp_path: Path) -> None:
    copier("copy", "--defaults", "-r", "HEAD", "-d", "preset=mobile", str(committed_template), "made", cwd=tmp_path)
    text = (tmp_path / "made/.copier-answers.yml").read_text()
    answers = yaml.safe_load(text)
    assert answers["preset"] == "mobile"
    assert answers["auth"] == "supabase"
    assert answers["projects"] is True
    assert {"catalog", "chosen"}.isdisjoint(answers)
    assert all(":" in line for line in text.splitlines() if line and not line.startswith("#"))


def test_updates_keep_the_files_that_belong_to_the_project() -> None:
    text = (ROOT / "copier.yml").read_text(encoding="utf-8")
    kept = text.partition("_skip_if_exists:\n")[2].partition("\n_")[0].split()
    mine = sorted(path.relative_to(ROOT / "template").as_posix() for path in ROOT.glob("template/app/project_*"))
    assert mine == ["app/project_modules.py", "app/project_roles.py"]
    assert set(mine) < set(kept)


@pytest.fixture(scope="module")
def questions_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The questions and the catalog without the files to render, which no refused answer reaches."""
    root = tmp_path_factory.mktemp("questions")
    shutil.copytree(ROOT / "extensions/catalog", root / "extensions/catalog")
    shutil.copy2(ROOT / "copier.yml", root)
    (root / "template").mkdir()
    (root / "template/main.py").write_text("")
    commit_all(root, "Questions", first=True)
    return root


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("project_slug=My_SaaS", "lower-case letters"),
        ("project_slug=-x", "lower-case letters"),
        ("project_slug=" + "a" * 41, "at most 40"),
        ("project_slug=fastapi", "Choose another"),
        ("project_name=", "1 to 60"),
        ("project_name=" + "x" * 61, "1 to 60"),
        ("project_name=two\nlines", "one line"),
        ("project_description=two\nlines", "one line"),
        ("author_email=nobody", "me@example.com"),
        ("auth=okta", "auth"),
        ("python_version=3.11", "python_version"),
        ("preset=huge", "preset"),
    ],
)
def test_a_bad_answer_is_refused_with_its_reason(questions_alone: Path, tmp_path: Path, answer: str, says: str) -> None:
    name, _, value = answer.partition("=")
    # In this process: to start Copier, as below, takes longer than its answer.
    with warnings.catch_warnings(action="ignore"), pytest.raises(ValueError) as refused:  # noqa: PT011 - its text is next
        run_copy(str(questions_alone), tmp_path / "made", data={name: value}, vcs_ref="HEAD", defaults=True, quiet=True)
    assert says in str(refused.value)
    assert not (tmp_path / "made").exists()


def test_a_missing_requirement_is_refused_with_what_to_answer(template_repo: Path, tmp_path: Path) -> None:
    piece = yaml.safe_load((template_repo / "extensions/catalog/projects.yml").read_text())
    piece |= {"name": "reports", "module": None, "requires": ["projects"], "paths": [], "settings": []}
    (template_repo / "extensions/catalog/reports.yml").write_text(yaml.safe_dump(piece))
    questions = (template_repo / "copier.yml").read_text()
    start, end = questions.index("projects:\n"), questions.index("# --- what follows")
    added = questions[start:end].replace("projects", "reports")
    (template_repo / "copier.yml").write_text(questions[:end] + added + questions[end:])
    for command in (["add", "-A"], ["commit", "-qm", "reports"]):
        subprocess.run(["git", *command], cwd=template_repo, check=True)

    done = copier(
        *("copy", "--defaults", "-r", "HEAD", "-d", "preset=custom", "-d", "projects=false", "-d", "reports=true"),
        *(str(template_repo), "made"),
        cwd=tmp_path,
    )
    assert done.returncode != 0
    assert "reports requires projects: set projects=true, or reports=false." in done.stderr
