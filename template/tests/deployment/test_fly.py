"""fly.toml (https://fly.io/docs/reference/configuration/)."""

import tomllib
from typing import Literal

from pydantic import Field

from tests.deployment.deployment import (
    READINESS,
    ROOT,
    Deployment,
    Process,
    Strict,
    check,
    required_settings,
)


class Build(Strict):
    """The section `build`."""

    dockerfile: str


class Deploy(Strict):
    """The section `deploy`."""

    release_command: str
    release_command_timeout: str
    strategy: Literal["rolling"]
    max_unavailable: int
    wait_timeout: str


class Concurrency(Strict):
    """The section `http_service.concurrency`."""

    type: Literal["connections", "requests"]
    soft_limit: int
    hard_limit: int


class Check(Strict):
    """A table of `http_service.checks`."""

    method: Literal["GET"]
    path: str
    grace_period: str
    interval: str
    timeout: str


class HttpService(Strict):
    """The section `http_service`."""

    internal_port: int
    force_https: Literal[True]
    auto_stop_machines: Literal["off"]
    auto_start_machines: bool
    min_machines_running: int = Field(ge=1)
    processes: list[str]
    concurrency: Concurrency
    checks: list[Check] = Field(min_length=1, max_length=1)


class Mount(Strict):
    """A table of `mounts`."""

    source: str = Field(pattern="^[a-z0-9_]{1,30}$")
    destination: str
    processes: list[str]


class Machine(Strict):
    """A table of `vm`."""

    size: str
    memory: str


class Fly(Strict):
    """The whole file."""

    app: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$")
    primary_region: str
    kill_signal: Literal["SIGTERM"]
    kill_timeout: int = Field(le=300)
    build: Build
    deploy: Deploy
    env: dict[str, str]
    processes: dict[str, str]
    http_service: HttpService
    mounts: list[Mount] = Field(default=[])
    vm: list[Machine]


def read() -> Fly:
    """Return the file."""
    return Fly.model_validate(tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8")))


def test_the_file_fits_the_application() -> None:
    file = read()
    # Secrets and the addresses of services are set by commands: docs/deploy-fly.md.
    settings = frozenset(file.env) | required_settings()
    check(
        Deployment(
            migration=file.deploy.release_command,
            ready=file.http_service.checks[0].path,
            processes={
                name: Process(command=command, grace=file.kill_timeout, settings=settings)
                for name, command in file.processes.items()
            },
            mounts=frozenset(mount.destination for mount in file.mounts),
        )
    )


def test_requests_reach_the_server_on_its_port_when_it_is_ready() -> None:
    file = read()
    assert file.http_service.processes == ["app"]
    assert str(file.http_service.internal_port) == file.env["PORT"]
    assert file.http_service.checks[0].path == READINESS
    assert file.http_service.concurrency.soft_limit < file.http_service.concurrency.hard_limit


def test_the_file_contains_no_secret() -> None:
    assert not file_secrets(read())


def file_secrets(file: Fly) -> set[str]:
    """Return the names of settings in the file that belong into secrets."""
    return {name for name in file.env if name in required_settings()}
