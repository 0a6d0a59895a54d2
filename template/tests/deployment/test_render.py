"""render.yaml (https://render.com/docs/blueprint-spec)."""

from typing import Literal

import yaml
from pydantic import Field

from tests.deployment.deployment import READINESS, ROOT, SERVER, Deployment, Process, Strict, check, required_settings

VALUE_SOURCES = ("value", "sync", "from_database", "from_service")


class FromDatabase(Strict):
    """The address of a database."""

    name: str
    property: Literal["connectionString"]


class FromService(Strict):
    """The address of a service, or a variable of it."""

    type: Literal["web", "keyvalue"]
    name: str
    property: Literal["connectionString"] | None = None
    envVarKey: str | None = None  # noqa: N815 - Render's name


class Variable(Strict):
    """An environment variable."""

    key: str
    value: str | None = None
    sync: Literal[False] | None = None
    from_database: FromDatabase | None = Field(default=None, alias="fromDatabase")
    from_service: FromService | None = Field(default=None, alias="fromService")


class Disk(Strict):
    """A disk of a service."""

    name: str
    mount_path: str = Field(alias="mountPath")
    size: int = Field(alias="sizeGB", ge=1)


class Service(Strict):
    """A service."""

    type: Literal["web", "worker", "keyvalue"]
    name: str
    plan: str
    region: str
    runtime: Literal["docker"] | None = None
    instances: int | None = Field(default=None, alias="numInstances")
    deploy_trigger: Literal["checksPass"] | None = Field(default=None, alias="autoDeployTrigger")
    migration: str | None = Field(default=None, alias="preDeployCommand")
    ready: str | None = Field(default=None, alias="healthCheckPath")
    grace: int | None = Field(default=None, alias="maxShutdownDelaySeconds", ge=1, le=300)
    command: str | None = Field(default=None, alias="dockerCommand")
    disk: Disk | None = None
    variables: list[Variable] = Field(default=[], alias="envVars")
    eviction: Literal["noeviction"] | None = Field(default=None, alias="maxmemoryPolicy")
    allowed: list[object] | None = Field(default=None, alias="ipAllowList")


class Database(Strict):
    """A PostgreSQL database."""

    name: str
    database: str = Field(alias="databaseName")
    user: str
    plan: str
    region: str
    version: Literal["18"] = Field(alias="postgresMajorVersion")
    allowed: list[object] = Field(alias="ipAllowList", max_length=0)


class Blueprint(Strict):
    """The whole file."""

    services: list[Service]
    databases: list[Database] = Field(min_length=1, max_length=1)

    @property
    def web(self) -> Service:
        """The service that answers requests."""
        (found,) = (service for service in self.services if service.type == "web")
        return found

    @property
    def processes(self) -> dict[str, Service]:
        """The services that run the image, by the names of their processes."""
        prefix = f"{self.web.name}-"
        own = [service for service in self.services if service.runtime is not None]
        return {SERVER if one.type == "web" else one.name.removeprefix(prefix): one for one in own}


def read() -> Blueprint:
    """Return the file."""
    return Blueprint.model_validate(yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8")))


def test_the_file_fits_the_application() -> None:
    file = read()
    assert file.web.migration is not None
    assert file.web.ready == READINESS
    check(
        Deployment(
            migration=file.web.migration,
            ready=file.web.ready,
            processes={
                name: Process(
                    command=service.command,
                    grace=service.grace or 0,
                    settings=frozenset(variable.key for variable in service.variables),
                )
                for name, service in file.processes.items()
            },
            mounts=frozenset(service.disk.mount_path for service in file.services if service.disk is not None),
        )
    )


def test_every_variable_has_one_source_that_exists() -> None:
    file = read()
    secrets = {variable.key for variable in file.web.variables if variable.sync is False}
    names = {service.name for service in file.services}
    for service in file.services:
        assert len({variable.key for variable in service.variables}) == len(service.variables)
        for variable in service.variables:
            assert sum(getattr(variable, source) is not None for source in VALUE_SOURCES) == 1, variable
            if variable.from_database is not None:
                assert variable.from_database.name == file.databases[0].name
            if variable.from_service is not None:
                assert variable.from_service.name in names
                assert variable.from_service.property or variable.from_service.envVarKey in secrets
    assert secrets <= required_settings()


def test_everything_is_in_one_region_and_private() -> None:
    file = read()
    assert {service.region for service in file.services} == {file.databases[0].region}
    assert all(service.allowed == [] for service in file.services if service.type == "keyvalue")
