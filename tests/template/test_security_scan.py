"""Scanners of secrets, workflows and Dockerfiles find nothing in a rendered project, nor in this repository.

Whether a scanner can fail is shown by a seeded fault, for each that runs without a network.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import override

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
    workflow = project / ".github" / "workflows" / "deploy.yml"
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
            uses = [line for line in lines if line.startswith("uses: ") and not line.startswith("uses: $/")]
            assert uses
            assert [line for line in uses if not PINNED.match(line)] == []


def test_dependabot_updates_each_ecosystem_of_a_project(project: Path) -> None:
    updates = yaml.safe_load((project / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"uv", "github-actions", "docker"}


BANDIT = ("bandit", "--recursive", "--quiet", "--severity-level", "high", "app", "migrations")


def test_the_code_has_no_fault_that_bandit_finds(project: Path) -> None:
    run(*BANDIT, folder=project)


def test_a_fault_in_the_code_is_found(project: Path) -> None:
    text = "import subprocess\n\n\ndef show(name: str) -> None:\n    subprocess.run(f'ls {name}', shell=True)\n"
    (project / "app" / "faulty.py").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match="B602"):
        run(*BANDIT, folder=project)


def test_an_unsafe_workflow_is_found(project: Path) -> None:
    workflow = project / ".github" / "workflows" / "ci.yml"
    text = workflow.read_text(encoding="utf-8").replace("- run: uv sync", "- run: echo ${{ github.head_ref }}", 1)
    workflow.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match="template-injection"):
        run("zizmor", "--offline", "--no-progress", ".github", folder=project)


class Vulnerabilities(BaseHTTPRequestHandler):
    """OSV's API, which knows one vulnerability, of one package."""

    @override
    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        known = {"vulns": [{"id": "TEST-1", "modified": "2026-01-01T00:00:00Z"}]}
        self._reply({"results": [known if query["package"]["name"] == "click" else {} for query in queries]})

    def do_GET(self) -> None:
        affected = [{"package": {"ecosystem": "PyPI", "name": "click"}, "versions": ["8.3.0"]}]
        self._reply({"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "summary": "Made up", "affected": affected})

    def _reply(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def vulnerability_service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Vulnerabilities) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(("package", "found"), [("click", True), ("idna", False)])
def test_a_vulnerable_dependency_is_found(package: str, found: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    lock = f"""version = 1
requires-python = ">=3.12"

[[package]]
name = "project"
version = "0"
source = {{ virtual = "." }}
dependencies = [{{ name = "{package}" }}]

[package.metadata]
requires-dist = [{{ name = "{package}" }}]

[[package]]
name = "{package}"
version = "8.3.0"
source = {{ registry = "https://packages.invalid/simple" }}
"""
    (tmp_path / "uv.lock").write_text(lock, encoding="utf-8")
    project = f'[project]\nname = "project"\nversion = "0"\nrequires-python = ">=3.12"\ndependencies = ["{package}"]\n'
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    with vulnerability_service() as url:
        done = subprocess.run(
            ["uv", "audit", "--frozen", "--service-url", url], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert (done.returncode != 0) is found, done.stdout + done.stderr
    assert ("TEST-1" in done.stdout + done.stderr) is found
