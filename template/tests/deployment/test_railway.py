"""The files in railway/ (https://docs.railway.com/config-as-code/reference)."""

import json
import re
from typing import Literal

from pydantic import Field

from tests.deployment.deployment import READINESS, ROOT, SERVER, Deployment, Process, Strict, check, required_settings

FOLDER = ROOT / "railway"
SETTING_COMMAND = re.compile(r"railway variable set .*")


class Build(Strict):
    """The section `build`."""

    builder: Literal["DOCKERFILE"]
    dockerfile: Literal["Dockerfile"] = Field(alias="dockerfilePath")


class Deploy(Strict):
    """The section `deploy`."""

    migration: list[str] | None = Field(default=None, alias="preDeployCommand", min_length=1, max_length=1)
    command: str = Field(alias="startCommand")
    ready: str | None = Field(default=None, alias="healthcheckPath")
    ready_timeout: int | None = Field(default=None, alias="healthcheckTimeout")
    overlap: int | None = Field(default=None, alias="overlapSeconds")
    # Numbers: Railway refuses strings here.
    grace: int = Field(alias="drainingSeconds", strict=True)
    restart: Literal["ALWAYS"] = Field(alias="restartPolicyType")


class Configuration(Strict):
    """A whole file: one service."""

    reference: Literal["https://railway.com/railway.schema.json"] = Field(alias="$schema")
    build: Build
    deploy: Deploy


def test_the_files_fit_the_application() -> None:
    files = {file.stem: Configuration.model_validate(json.loads(file.read_text())) for file in FOLDER.glob("*.json")}
    server = files[SERVER].deploy
    assert server.migration is not None
    assert server.ready == READINESS
    # Commands set the variables, and create the volume.
    page = (ROOT / "docs" / "deploy-railway.md").read_text(encoding="utf-8")
    settings = required_settings() | set(re.findall(r"[ ']([A-Z_]+)=", "\n".join(SETTING_COMMAND.findall(page))))
    check(
        Deployment(
            migration=server.migration[0],
            ready=server.ready,
            processes={
                name: Process(
                    command=file.deploy.command,
                    grace=file.deploy.grace,
                    settings=settings,
                )
                for name, file in files.items()
            },
            mounts=frozenset(re.findall(r"--mount-path (\S+)", page)),
        )
    )


def test_no_command_of_the_page_starts_a_deployment_by_setting_a_variable() -> None:
    # https://docs.railway.com/cli/variable: the flags --set and --set-from-stdin are deprecated.
    page = (ROOT / "docs" / "deploy-railway.md").read_text(encoding="utf-8")
    commands = SETTING_COMMAND.findall(page)
    assert len(commands) >= 3
    assert all(command.startswith("railway variable set --service app --skip-deploys ") for command in commands)
    assert "railway variables" not in page


def test_only_the_server_migrates_and_is_checked() -> None:
    for file in FOLDER.glob("*.json"):
        deploy = Configuration.model_validate(json.loads(file.read_text())).deploy
        assert (deploy.migration is None) == (file.stem != SERVER)
        assert (deploy.ready is None) == (file.stem != SERVER)
