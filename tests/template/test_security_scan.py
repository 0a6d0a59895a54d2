"""Scanners of secrets, workflows and Dockerfiles find nothing in a rendered project, nor in this repository.

Bandit is not among them: ruff's S rules are the same checks, and lint runs them.
"""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from omnistack.suites.cell import write
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@cache
def files(preset: str) -> dict[str, tuple[int, bytes]]:
    return dict(Renderer(ROOT).render({"preset": preset, "project_slug": "scanned"}))


@pytest.fixture(params=["minimal", "everything"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write(files(request.param), tmp_path)
    return tmp_path


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def scan(folder: Path) -> None:
    # The path must be relative: the allowlist's paths are.
    run("gitleaks", "dir", ".", "--no-banner", "--no-color", "--redact", "--verbose", folder=folder)


def test_there_are_no_secrets(project: Path) -> None:
    scan(project)


def test_a_secret_in_the_code_is_found(project: Path) -> None:
    key = "ghp_" + "k3JdPq8WmZ1xR7vT5nB2cY6hL9sF4gD0aE1u"
    (project / "app" / "leak.py").write_text(f'TOKEN = "{key}"\n', encoding="utf-8")
    with pytest.raises(AssertionError, match="github-pat"):
        scan(project)


def test_workflows_are_safe(project: Path) -> None:
    run("zizmor", "--offline", "--no-progress", ".github", folder=project)


def test_workflows_of_this_repository_are_safe() -> None:
    run("zizmor", "--offline", "--no-progress", ".github", folder=ROOT)


def test_workflows_are_linted(project: Path) -> None:
    for folder in (project, ROOT):
        files = [str(file) for file in (folder / ".github" / "workflows").iterdir()]
        assert files
        run("actionlint", "-no-color", *files, folder=folder)


def test_a_faulty_workflow_is_found(project: Path) -> None:
    workflow = project / ".github" / "workflows" / "ci.yml"
    faulty = workflow.read_text(encoding="utf-8").replace("runs-on:", "needs: [missing]\n    runs-on:", 1)
    workflow.write_text(faulty, encoding="utf-8")
    with pytest.raises(AssertionError, match="missing"):
        run("actionlint", "-no-color", str(workflow), folder=project)


def test_the_dockerfile_is_linted(project: Path) -> None:
    run("hadolint", "Dockerfile", folder=project)


def test_the_files_of_github_have_its_schemas(project: Path) -> None:
    for workflow in (project / ".github" / "workflows").iterdir():
        run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow), folder=project)
    for folder in (project, ROOT):
        run("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml", folder=folder)


def test_actions_are_pinned_by_hash_and_say_their_version(project: Path) -> None:
    for folder in (project, ROOT):
        for workflow in (folder / ".github" / "workflows").iterdir():
            lines = [line.strip().removeprefix("- ") for line in workflow.read_text(encoding="utf-8").splitlines()]
            uses = [line for line in lines if line.startswith("uses: ")]
            assert uses
            assert [line for line in uses if not PINNED.match(line)] == []


def test_dependabot_updates_each_ecosystem_of_a_project(project: Path) -> None:
    updates = yaml.safe_load((project / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"uv", "github-actions", "docker"}
