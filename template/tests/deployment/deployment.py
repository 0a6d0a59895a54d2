"""A platform's file as the checks read it, and the checks: whatever it names exists in the application."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import yaml
from pydantic import BaseModel, ConfigDict

from app.cli.main import cli
from app.cli.serve import GRACE_SECONDS
from app.core.config.settings import Settings
from app.main import create_app

ROOT: Final = Path(__file__).resolve().parents[2]
ENTRYPOINT: Final = "tini -- "
SERVER: Final = "app"
MIGRATION: Final = "migrate"
READINESS: Final = "/api/v1/public/health/ready"


class Strict(BaseModel):
    """A part of a platform's file. A key that is not known here may be a typing error."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process of a deployment.

    Attributes:
        command: `None` if it is the image's own, which serves.
        grace: seconds between SIGTERM and SIGKILL.
        settings: the names of its environment variables.
    """

    command: str | None
    grace: float
    settings: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The content of a platform's file.

    Attributes:
        migration: the command that runs once, with the new image, before the processes are replaced.
        ready: the path that a new process has to answer.
        mounts: the folders whose files outlive a process.
    """

    migration: str
    ready: str
    processes: Mapping[str, Process]
    mounts: frozenset[str] = field(default_factory=frozenset)


@cache
def composition() -> Mapping[str, Any]:
    """Return compose.yaml, the reference for the processes of this project."""
    document: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return document


def check(deployment: Deployment) -> None:
    """Fail if the file names a command, a path or a setting that does not exist, or lacks something of this project."""
    own = {name: body for name, body in composition()["services"].items() if "build" in body}
    assert deployment.processes.keys() == own.keys() - {MIGRATION}
    check_command(deployment.migration)
    assert deployment.migration.split()[:2] == own[MIGRATION]["command"][:2]
    assert deployment.ready in create_app().openapi()["paths"]
    drain = Settings.model_fields["HTTP_DRAIN_DELAY"].default + GRACE_SECONDS
    for name, process in deployment.processes.items():
        assert process.grace > drain, (name, "is killed before it has drained")
        if process.command is not None:
            check_command(process.command)
        assert process.settings >= required_settings(), (name, required_settings() - process.settings)
    environment = composition()["x-app"]["environment"]
    volumes = {volume.split(":")[1] for volume in composition()["x-app"].get("volumes", [])}
    # A project that keeps its files in a bucket needs no folder in production.
    folders = {name for name, value in environment.items() if value in volumes - deployment.mounts}
    assert deployment.processes[SERVER].settings >= environment.keys() - folders - {"PORT"}
    assert deployment.mounts <= volumes


def check_command(text: str) -> None:
    """Fail if this project has no such command, or the command no such options."""
    words = shlex.split(text.removeprefix(ENTRYPOINT))
    assert words[0] == "app", text
    command: click.Command = cli
    context = click.Context(command, info_name="app")
    rest = words[1:]
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0]) if rest else None
        assert found is not None, f"{text}: {command.name} has no such command"
        command, context, rest = found, click.Context(found, parent=context, info_name=rest[0]), rest[1:]
    command.make_parser(context).parse_args(rest)


@cache
def example() -> Mapping[str, str]:
    """Return production.env.example: the settings that production requires, and ENVIRONMENT."""
    lines = (ROOT / "production.env.example").read_text(encoding="utf-8").splitlines()
    # Those that a service of the platform sets are commented out.
    pairs = [line.removeprefix("# ").partition("=") for line in lines]
    return {name: value for name, equals, value in pairs if equals and name.isidentifier() and name.isupper()}


def required_settings() -> frozenset[str]:
    """Return the names of the settings of production."""
    return frozenset(example()) - {"ENVIRONMENT"}
