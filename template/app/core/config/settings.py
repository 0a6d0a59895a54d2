"""Settings: read from the environment and `.env`, checked once, all of them together, before anything starts."""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self, cast, get_args, get_origin

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.config.database_url import has_example_password, normal_url
from app.core.config.secrets import is_example, looks_made_up
from app.core.ports.rate_limiter import Rate

MIN_SECRET_LENGTH: Final = 32
MAKE_ONE: Final = "make one with: openssl rand -hex 32"


class Environment(StrEnum):
    """Where the application runs."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


class ConfigurationError(Exception):
    """One or more settings are missing, malformed or weak.

    Attributes:
        problems: one line a problem, each starting with the name of the setting.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"The settings are not usable:\n{lines}\nSet them in the environment or in .env.")


def _deployed(info: ValidationInfo) -> bool:
    # Not there means not valid: then the strict rules hold, so that all of their problems are named as well.
    return info.data.get("ENVIRONMENT") is not Environment.LOCAL


def _required_outside_local[T](value: T, info: ValidationInfo) -> T:
    if _deployed(info) and not value:
        raise ValueError("is required outside local")
    return value


def _strong(value: SecretStr, info: ValidationInfo) -> SecretStr:
    secret = value.get_secret_value()
    if len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(f"needs at least {MIN_SECRET_LENGTH} characters; {MAKE_ONE}")
    if _deployed(info) and looks_made_up(secret):
        raise ValueError(f"is an example value; {MAKE_ONE}")
    return value


def _database_url(value: str | None, info: ValidationInfo) -> str | None:
    url = None if value is None else normal_url(value)
    if url is not None and _deployed(info) and has_example_password(url):
        raise ValueError("has an example password")
    return url


def _not_in_production(value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - a validator's signature
    if value and info.data.get("ENVIRONMENT") is Environment.PRODUCTION:
        raise ValueError("has to be false in production: it logs what people send")
    return value


def _one_line(value: str) -> str:
    # It goes into headers of mails, titles and names of queues.
    if not value.isprintable():
        raise ValueError("has to be one line of printable characters")
    return value


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        scheme, separator, host = value.partition("://")
        if value != "*" and not (scheme and separator and host and "/" not in host):
            raise ValueError('has to list origins like "https://app.example.com", without a path')
    return values


RequiredOutsideLocal = AfterValidator(_required_outside_local)
StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]
Origins = Annotated[tuple[str, ...], AfterValidator(_origins)]
"""Of browsers' pages: scheme, host and port, or `*`."""


class ModuleSettings(BaseSettings):
    """Base of every settings class. A module lists its own in its manifest and reads it with `runtime.resource`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        # Decoded below instead: there one malformed value is a problem of that setting and hides no other.
        enable_decoding=False,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        case_sensitive=True,
        hide_input_in_errors=True,
    )

    ENVIRONMENT: Environment = Environment.LOCAL

    @field_validator("*", mode="before")
    @classmethod
    def _decode(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str) or not _takes_json(cls.model_fields[str(info.field_name)].annotation):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('is not JSON; a list looks like ["one", "two"]') from None

    @field_validator("*", mode="after")
    @classmethod
    def _refuse_examples(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, SecretStr) and _deployed(info) and is_example(value.get_secret_value()):
            raise ValueError("is an example value")
        return value

    @property
    def is_local(self) -> bool:
        """Whether this is a developer's machine, where everything may be missing but nothing is public."""
        return self.ENVIRONMENT is Environment.LOCAL

    @property
    def is_production(self) -> bool:
        """Whether real users' data is here."""
        return self.ENVIRONMENT is Environment.PRODUCTION


class Settings(ModuleSettings):
    """What the core itself needs."""

    PROJECT_NAME: Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
    DEBUG: Annotated[bool, AfterValidator(_not_in_production)] = False
    LOG_LEVEL: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    SECRET_KEY: StrongSecret
    API_V1_STR: str = Field(default="/api/v1", pattern="^(/[a-z0-9._-]+)+$")
    BACKEND_CORS_ORIGINS: Origins = ()
    # Its password would show wherever the settings are printed.
    DATABASE_URL: Annotated[str | None, Field(repr=False), AfterValidator(_database_url), RequiredOutsideLocal] = None
    DB_POOL_SIZE: int = Field(default=10, ge=1, le=500)
    DB_POOL_RECYCLE: int = Field(default=3600, ge=1)
    DB_USE_NULL_POOL: bool = False
    RATE_LIMIT_DEFAULT: Rate = "60/minute"
    RATE_LIMIT_AUTH: Rate = "5/minute"
    TRUSTED_PROXY_COUNT: int = Field(default=0, ge=0, le=10)
    MAX_BODY_SIZE: int = Field(default=1024 * 1024, ge=1024)
    MAX_JSON_VALUES: int = Field(default=20_000, ge=100)
    HTTP_MAX_CONNECTIONS: int = Field(default=1000, ge=10)
    HTTP_MAX_HEADER_SIZE: int = Field(default=32 * 1024, ge=4096, le=1024 * 1024)
    HTTP_HEADER_TIMEOUT: float = Field(default=10, gt=0, le=300)
    HTTP_BODY_TIMEOUT: float = Field(default=30, gt=0, le=3600)
    HTTP_WRITE_TIMEOUT: float = Field(default=30, gt=0, le=3600)
    HTTP_KEEP_ALIVE_TIMEOUT: int = Field(default=75, ge=1, le=3600)
    HTTP_DRAIN_DELAY: float = Field(default=5, ge=0, le=300)

    def with_database(self, url: str) -> Self:
        """The same settings on another database."""
        return self.model_copy(update={"DATABASE_URL": normal_url(url)})


type LoadedSettings = Mapping[type[ModuleSettings], ModuleSettings]
"""Each class's settings."""


def load_settings(classes: Iterable[type[ModuleSettings]]) -> LoadedSettings:
    """Reads every class's settings.

    Raises:
        ConfigurationError: naming every missing, malformed and weak value of all classes at once, and none of the
            values.
    """
    loaded: dict[type[ModuleSettings], ModuleSettings] = {}
    problems: dict[str, None] = {}
    for cls in classes:
        try:
            loaded[cls] = cls()
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False, include_input=False):
                problems[_problem(item, cls)] = None
        except UnicodeDecodeError:
            problems[".env is not a text in UTF-8"] = None
    if problems:
        raise ConfigurationError(problems)
    return loaded


def core_settings() -> Settings:
    """Load only the core's settings, for commands that need no module.

    Raises:
        ConfigurationError: names every invalid setting.
    """
    return cast("Settings", load_settings([Settings])[Settings])


def _problem(item: ErrorDetails, cls: type[ModuleSettings]) -> str:
    name = str(item["loc"][0]) if item["loc"] else cls.__name__
    if item["type"] == "missing":
        return f"{name} is not set"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    return f"{name} {message}"


def _takes_json(annotation: Any) -> bool:  # noqa: ANN401 - any type that a field may have
    """Whether a field of this type is written as JSON: a list, a mapping, or either of them or nothing."""
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, tuple | list | set | frozenset | Mapping):
        return True
    return any(_takes_json(part) for part in get_args(annotation))
