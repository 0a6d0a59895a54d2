"""config/deploy.yml and .kamal/secrets (https://kamal-deploy.org/docs/configuration/overview/)."""

import re
import subprocess
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from pydantic import Field

from tests.deployment.deployment import (
    READINESS,
    ROOT,
    SERVER,
    Deployment,
    Process,
    Strict,
    check,
    composition,
    required_settings,
)

HOOK = ROOT / ".kamal" / "hooks" / "pre-deploy"
SECRETS = ROOT / ".kamal" / "secrets"
# Characters that a shell or a dotenv file could change.
PASSWORD = "0123abcd$HOME#x'"


class Options(Strict):
    """Options of `docker run`."""

    stop_timeout: int = Field(alias="stop-timeout")
    read_only: Literal[True] = Field(alias="read-only")
    tmpfs: Literal["/tmp"]  # noqa: S108 - the container's own
    cap_drop: Literal["ALL"] = Field(alias="cap-drop")
    security_opt: Literal["no-new-privileges:true"] = Field(alias="security-opt")
    memory: str
    health: str | None = Field(default=None, alias="health-cmd")
    health_interval: str | None = Field(default=None, alias="health-interval")
    health_timeout: str | None = Field(default=None, alias="health-timeout")


class Role(Strict):
    """A role of `servers`: a process."""

    hosts: list[str] = Field(min_length=1)
    cmd: str
    options: Options


class Healthcheck(Strict):
    """The section `proxy.healthcheck`. The numbers are seconds."""

    path: str
    interval: int
    timeout: int


class Buffering(Strict):
    """The section `proxy.buffering`."""

    requests: bool
    responses: Literal[False]


class Proxy(Strict):
    """The section `proxy`."""

    host: str
    ssl: Literal[True]
    app_port: int
    response_timeout: int
    healthcheck: Healthcheck
    buffering: Buffering


class Environment(Strict):
    """The section `env`. Kamal requires strings or numbers."""

    clear: dict[str, str]
    secret: list[str]


class AccessoryEnvironment(Strict):
    """The section `env` of an accessory."""

    clear: dict[str, str] = Field(default={})
    secret: list[str]


class Accessory(Strict):
    """A service beside the application, without a published port."""

    image: str
    host: str
    cmd: str | None = None
    env: AccessoryEnvironment
    directories: list[str] = Field(min_length=1)


class Registry(Strict):
    """The section `registry`."""

    server: str


class Builder(Strict):
    """The section `builder`."""

    arch: Literal["amd64", "arm64"]


class Logging(Strict):
    """The section `logging`."""

    driver: Literal["json-file"]
    options: dict[str, str | int]


class Kamal(Strict):
    """The whole file, without its extensions."""

    service: str = Field(pattern="^[a-z0-9_-]+$")
    image: str
    minimum_version: str
    primary_role: str
    deploy_timeout: int
    drain_timeout: int
    servers: dict[str, Role]
    proxy: Proxy
    env: Environment
    volumes: list[str] = Field(default=[])
    registry: Registry
    builder: Builder
    logging: Logging
    accessories: dict[str, Accessory]


def read() -> Kamal:
    """Return the file. Keys that begin with `x-` are extensions, which Kamal ignores."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "config" / "deploy.yml").read_text(encoding="utf-8"))
    return Kamal.model_validate({key: value for key, value in document.items() if not key.startswith("x-")})


def secrets() -> dict[str, str]:
    """Return the commands that find the secrets, by the names of these."""
    lines = SECRETS.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value.removeprefix("$(").removesuffix(")") for name, _, value in pairs}


def test_the_file_fits_the_application() -> None:
    file = read()
    commands = [line for line in HOOK.read_text(encoding="utf-8").splitlines() if '"$image"' in line]
    migration = commands[-1].partition('"$image"')[2].partition("<")[0].strip()
    settings = frozenset(file.env.clear) | frozenset(file.env.secret)
    assert file.env.secret == sorted(set(file.env.secret), key=file.env.secret.index)
    assert frozenset(file.env.secret) == required_settings()
    check(
        Deployment(
            migration=migration,
            ready=file.proxy.healthcheck.path,
            processes={
                name: Process(command=role.cmd, grace=role.options.stop_timeout, settings=settings)
                for name, role in file.servers.items()
            },
            mounts=frozenset(volume.split(":")[1] for volume in file.volumes),
        )
    )


def test_requests_reach_the_server_when_it_is_ready() -> None:
    file = read()
    assert file.primary_role == SERVER
    assert file.proxy.healthcheck.path == READINESS
    assert str(file.proxy.app_port) == file.env.clear["PORT"]
    assert file.drain_timeout >= max(role.options.stop_timeout for role in file.servers.values())


def test_other_processes_are_checked_by_their_own_command() -> None:
    """The image's check asks the server, which another process is not: Kamal would wait for it in vain."""
    file = read()
    own = composition()["services"]
    for name, role in file.servers.items():
        expected = None if name == SERVER else " ".join(own[name]["healthcheck"]["test"][1:])
        assert role.options.health == expected


def test_every_service_is_an_accessory_with_its_password() -> None:
    file = read()
    services = {name: body for name, body in composition()["services"].items() if "build" not in body}
    for name, accessory in file.accessories.items():
        assert accessory.image == services[name]["image"]
        assert frozenset(accessory.env.secret) <= secrets().keys()
        folder = services[name]["volumes"][0].split(":")[1]
        assert [each.split(":")[1] for each in accessory.directories] == [folder]
    own = {name for name, body in services.items() if "profiles" not in body}
    assert file.accessories.keys() == own


@pytest.mark.parametrize("name", sorted(secrets()))
def test_a_secret_is_found_in_the_settings(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploy-kamal.md").read_text(encoding="utf-8")
    addresses = dict(re.findall(r"^ +([A-Z_]+)=(\S+PASSWORD@\S+)$", page, re.MULTILINE))
    settings = dict.fromkeys(required_settings(), PASSWORD) | addresses
    command = secrets()[name]
    expected = settings.get(name) or next(
        re.findall(r":([A-Z-]+)@", address)[0] for key, address in addresses.items() if f"^{key}=" in command
    )
    lines = [f"# {name}=commented", *(f"{key}={value}" for key, value in settings.items())]
    (tmp_path / "production.env").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.removesuffix("\n") == expected


def test_every_secret_is_found() -> None:
    file = read()
    named = {*file.env.secret, *(name for each in file.accessories.values() for name in each.env.secret)}
    assert named == secrets().keys()
