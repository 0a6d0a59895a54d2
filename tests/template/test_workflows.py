"""GitHub Actions and GitLab CI with platforms to release to: made-up pieces, so that each number of them is covered."""

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from omnistack.suites.cell import write
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
PIECE = """
name: {name}
label: {name}
help: A platform.
kind: deploy
always: true
port: null
module: null
requires: [core]
conflicts: []
presets: []
dependencies: []
dev_dependencies: []
paths: []
settings: []
services: []
owns: []
release:
  setup: ["install {name}"]
  deploy: ['{name} deploy "$IMAGE" --app $CLOUD_APP']
  rollback: ["{name} deploy $IMAGE"]
  after: []
  secrets: [{secret}]
  variables: [CLOUD_APP]
"""


def template_with(platforms: tuple[str, ...], folder: Path) -> Path:
    """Make a template with further pieces."""
    # Copier reads no file outside of the template's folder. Of the project, only the files of CI are rendered.
    shutil.copy(ROOT / "copier.yml", folder)
    shutil.copytree(ROOT / "extensions" / "services", folder / "extensions" / "services")
    catalog = Path(shutil.copytree(ROOT / "extensions" / "catalog", folder / "extensions" / "catalog"))
    shutil.copytree(ROOT / "template" / ".github", folder / "template" / ".github")
    for name in (".gitlab-ci.yml.jinja", "release.toml.jinja", "renovate.json"):
        shutil.copy(ROOT / "template" / name, folder / "template")
    for name in platforms:
        text = PIECE.format(name=name, secret=f"{name.upper()}_TOKEN")
        (catalog / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(
    scope="module",
    params=[
        ((), "minimal"),
        (("one_cloud",), "minimal"),
        (("one_cloud", "two_cloud"), "everything"),
    ],
    ids=["no platform", "one platform", "two platforms"],
)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    platforms, preset = request.param
    template = template_with(platforms, tmp_path_factory.mktemp("template"))
    folder = tmp_path_factory.mktemp("project")
    answers: dict[str, str | bool] = {"preset": preset, "project_slug": "released", "gitlab_ci": True}
    write(Renderer(template).render(answers), folder)
    return folder, platforms


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((folder / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    return content


def test_the_files_are_valid_and_safe(project: tuple[Path, tuple[str, ...]]) -> None:
    folder, _ = project
    workflows = [str(file) for file in sorted((folder / ".github" / "workflows").iterdir())]
    run("actionlint", "-no-color", *workflows, folder=folder)
    run("zizmor", "--offline", "--no-progress", ".github", folder=folder)
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows, folder=folder)
    gitlab = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", ".gitlab-ci.yml")
    run("check-jsonschema", *gitlab, folder=folder)
    run("check-jsonschema", "--builtin-schema", "vendor.renovate", "renovate.json", folder=folder)


def test_production_waits_for_staging_on_every_platform(project: tuple[Path, tuple[str, ...]]) -> None:
    folder, platforms = project
    jobs = workflow(folder, "deploy.yml")["jobs"]
    staging = [job for job in jobs if job.startswith("staging-")]
    production = [job for job in jobs if job.startswith("production-")]
    assert jobs.keys() == {"checks", "security", "image", *staging, *production}
    assert {f"staging-{name.replace('_', '-')}" for name in platforms} <= set(staging)
    assert [job.partition("-")[2] for job in production] == [job.partition("-")[2] for job in staging]
    assert jobs["image"]["needs"] == ["checks", "security"]
    for job in staging:
        assert jobs[job]["needs"] == ["image"]
        assert jobs[job]["environment"]["name"] == "staging"
    for job in production:
        assert jobs[job]["needs"] == ["image", *staging]
        assert jobs[job]["environment"]["name"] == "production"


def test_each_platform_gets_its_own_secrets_only(project: tuple[Path, tuple[str, ...]]) -> None:
    folder, platforms = project
    jobs = workflow(folder, "deploy.yml")["jobs"]
    for name in platforms:
        environment = jobs[f"staging-{name.replace('_', '-')}"]["env"]
        assert environment[f"{name.upper()}_TOKEN"] == f"${{{{ secrets.{name.upper()}_TOKEN }}}}"
        assert environment["CLOUD_APP"] == "${{ vars.CLOUD_APP }}"
        assert environment["TARGET_URL"] == f"${{{{ vars.{name.upper()}_URL }}}}"
        assert not {f"{other.upper()}_TOKEN" for other in platforms if other != name} & environment.keys()


def test_only_the_image_may_be_written(project: tuple[Path, tuple[str, ...]]) -> None:
    folder, _ = project
    for name in ("ci.yml", "security.yml", "deploy.yml"):
        content = workflow(folder, name)
        assert content["permissions"] == {"contents": "read"}
        assert {job for job, body in content["jobs"].items() if "permissions" in body} <= {"image"}


def test_the_commands_of_each_platform_are_rendered(project: tuple[Path, tuple[str, ...]]) -> None:
    folder, platforms = project
    commands = tomllib.loads((folder / "release.toml").read_text(encoding="utf-8"))
    for name in platforms:
        assert commands[name]["deploy"] == [f'{name} deploy "$IMAGE" --app $CLOUD_APP']
        assert commands[name]["variables"] == [f"{name.upper()}_TOKEN", "CLOUD_APP"]


def test_gitlab_has_the_same_stages(project: tuple[Path, tuple[str, ...]]) -> None:
    folder, platforms = project
    pipeline = yaml.safe_load((folder / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    checks = {"lint", "test", "contract", "migrations", "secrets", "code", "dependencies", "run-image", "push-image"}
    assert checks <= pipeline.keys()
    for name in platforms:
        job = name.replace("_", "-")
        assert pipeline[f"staging-{job}"]["stage"] == "staging"
        approved = pipeline[f"production-{job}"]
        assert approved["rules"][0]["when"] == "manual"
        assert approved["variables"] == {"TARGET": name, "TARGET_URL": f"${name.upper()}_URL"}
