"""Settings: read from the environment and `.env`, checked once, all of them together, before anything starts."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Self, cast, get_args, get_origin

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.core.config.database_url import has_example_password, normal_url
from app.core.config.env_file import EnvFile, EnvFileError
from app.core.config.origins import ANY, normal_origin
from app.core.config.secrets import is_example, looks_made_up
from app.core.rate_limiting.port import Rate
from app.kit.urls import check_origin

MIN_SECRET_LENGTH: Final = 32
LOCAL_PUBLIC_URL: Final = "http://127.0.0.1:8000"
"""PUBLIC_URL in local, where it is not set: the default address of `app dev` and `app serve`."""
MAKE_ONE: Final = "make one with: openssl rand -hex 32"
QUOTES: Final = "\"'"
_COMMENT: Final = re.compile(r"\s+#|#\s")
"""The beginning of a value that is a comment: `NAME=   # required` of an env file, read by `docker run --env-file`."""


class Environment(StrEnum):
    """The environment in which the application runs."""

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
        super().__init__(f"Some settings are missing or invalid:\n{lines}\nSet them in the environment or in .env.")


def _deployed(info: ValidationInfo) -> bool:
    # If ENVIRONMENT is invalid, the strict rules apply, so that all of their problems are reported too.
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


def _replica_url(value: str | None, info: ValidationInfo) -> str | None:
    url = _database_url(value, info)
    primary = info.data.get("DATABASE_URL") or ""
    if url is not None and (url.startswith("sqlite") or primary.startswith("sqlite")):
        raise ValueError("names a read replica, which SQLite doesn't have; remove it")
    return url


def _database_url(value: str | None, info: ValidationInfo) -> str | None:
    url = None if value is None else normal_url(value)
    if url is not None and _deployed(info) and has_example_password(url):
        raise ValueError("has an example password")
    return url


def _public_url(value: str, info: ValidationInfo) -> str:
    if not value:
        return "" if _deployed(info) else LOCAL_PUBLIC_URL
    return check_origin(value)


def _not_in_production(value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - a validator's signature
    if value and info.data.get("ENVIRONMENT") is Environment.PRODUCTION:
        raise ValueError("must be false in production: it logs user data")
    return value


def _one_line(value: str) -> str:
    # The value is used in mail headers, titles and queue names.
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")
    return value


def _origins(values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if ANY in values and info.data.get("ENVIRONMENT") is Environment.PRODUCTION:
        raise ValueError('cannot be "*" in production; list the origins of your front ends')
    return tuple(dict.fromkeys(map(normal_origin, values)))


RequiredOutsideLocal = AfterValidator(_required_outside_local)
StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]
Origins = Annotated[tuple[str, ...], AfterValidator(_origins)]
"""Origins of browser pages: scheme, host and port, or `*` outside of production."""


class RequiredWithProvider:
    """Mark of a setting that is required only if its provider is selected."""


@dataclass(frozen=True, slots=True)
class ForDevelopment:
    """Mark of a setting whose value is meant for developers' machines: elsewhere, `app doctor` warns."""

    value: str


class ModuleSettings(BaseSettings):
    """Base of every settings class. A module's manifest lists its classes; `runtime.resource` returns the values."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        # Decoded in `_decode` instead, where one malformed value doesn't hide the problems of other settings.
        enable_decoding=False,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        case_sensitive=True,
        hide_input_in_errors=True,
    )

    ENVIRONMENT: Environment = Environment.LOCAL

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by EnvFile
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not used
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, then `.env`."""
        return init_settings, env_settings, EnvFile(settings_cls)

    @field_validator("*", mode="before")
    @classmethod
    def _decode(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if _COMMENT.match(value):
            raise ValueError("is a comment, not a value; write comments on lines of their own")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES
        if not _takes_json(cls.model_fields[str(info.field_name)].annotation):
            if quoted:
                raise ValueError("has quotes around it, which are part of the value here; remove them")
            return value
        try:
            # `docker run --env-file` passes on the quotes that every other reader of the file removes.
            return json.loads(value[1:-1] if quoted else value)
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
        """Whether this is a developer's machine: nothing is public, and most settings are optional."""
        return self.ENVIRONMENT is Environment.LOCAL

    @property
    def is_production(self) -> bool:
        """Whether this deployment serves real users."""
        return self.ENVIRONMENT is Environment.PRODUCTION


class Settings(ModuleSettings):
    """The core's settings."""

    PROJECT_NAME: Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
    DEBUG: Annotated[bool, AfterValidator(_not_in_production)] = False
    LOG_LEVEL: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    RELEASE: str = Field(default="", max_length=128, pattern=r"^[\w.+:@/-]*$")
    LOG_SLOW_QUERIES: float = Field(default=0.5, ge=0, le=3600, allow_inf_nan=False)
    LOG_SLOW_REQUESTS: float = Field(default=2, ge=0, le=3600, allow_inf_nan=False)
    LOG_HEALTH_SAMPLE: int = Field(default=0, ge=0)
    READY_WITH_PENDING_MIGRATIONS: bool = False
    SECRET_KEY: StrongSecret
    SECRET_KEY_PREVIOUS: tuple[StrongSecret, ...] = ()
    PUBLIC_URL: Annotated[str, AfterValidator(_public_url), RequiredOutsideLocal] = ""
    API_V1_STR: str = Field(default="/api/v1", pattern="^(/[a-z0-9._-]+)+$")
    BACKEND_CORS_ORIGINS: Origins = ()
    # Hidden, because the password would be visible wherever the settings are printed.
    DATABASE_URL: Annotated[str | None, Field(repr=False), AfterValidator(_database_url), RequiredOutsideLocal] = None
    DATABASE_READ_URL: Annotated[str | None, Field(repr=False), AfterValidator(_replica_url)] = None
    DB_POOL_SIZE: int = Field(default=10, ge=1, le=500)
    DB_POOL_RECYCLE: int = Field(default=3600, ge=1)
    DB_USE_NULL_POOL: bool = False
    DB_TRANSACTION_POOLER: bool = False
    DB_CONNECT_TIMEOUT: float = Field(default=10, gt=0, le=300)
    DB_STATEMENT_TIMEOUT: float = Field(default=30, gt=0, le=3600)
    DB_LOCK_TIMEOUT: float = Field(default=5, gt=0, le=3600)
    DB_IDLE_IN_TRANSACTION_TIMEOUT: float = Field(default=60, gt=0, le=3600)
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

    @property
    def secret_keys(self) -> tuple[SecretStr, ...]:
        """The keys that verify signatures. The first one, SECRET_KEY, signs; the others are being rotated out."""
        return (self.SECRET_KEY, *self.SECRET_KEY_PREVIOUS)

    @property
    def public_api_url(self) -> str:
        """The absolute URL of the API's prefix: PUBLIC_URL and API_V1_STR."""
        return f"{self.PUBLIC_URL}{self.API_V1_STR}"

    def with_database(self, url: str) -> Self:
        """Return a copy of the settings with another database."""
        return self.model_copy(update={"DATABASE_URL": normal_url(url)})


type LoadedSettings = Mapping[type[ModuleSettings], ModuleSettings]
"""Each class's settings."""


def load_settings(classes: Iterable[type[ModuleSettings]]) -> LoadedSettings:
    """Load the settings of every class.

    Raises:
        ConfigurationError: names every missing, malformed and weak setting of all classes at once. No values are shown.
    """
    loaded: dict[type[ModuleSettings], ModuleSettings] = {}
    problems: dict[str, None] = {}
    if _is_empty("ENVIRONMENT"):
        # Elsewhere an empty value means the default, which is local here: no deployment may become local by accident.
        problems["ENVIRONMENT is empty; set it to local, staging or production, or remove it"] = None
    for cls in classes:
        try:
            loaded[cls] = cls()
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False, include_input=False):
                problems[_problem(item)] = None
        except UnicodeDecodeError:
            problems[".env is not UTF-8 text"] = None
        except EnvFileError as error:
            problems[str(error)] = None
    if problems:
        raise ConfigurationError(problems)
    return loaded


def core_settings() -> Settings:
    """Load only the core's settings, for commands that need no module.

    Raises:
        ConfigurationError: names every invalid setting.
    """
    return cast("Settings", load_settings([Settings])[Settings])


def _is_empty(name: str) -> bool:
    if name in os.environ:
        return os.environ[name] == ""
    try:
        return EnvFile(ModuleSettings, env_ignore_empty=False).env_vars.get(name) == ""
    except (UnicodeDecodeError, EnvFileError):
        return False


def _problem(item: ErrorDetails) -> str:
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    if not item["loc"]:
        # A validator of the whole class, whose message names the setting.
        return message
    name = str(item["loc"][0])
    if item["type"] == "missing":
        return f"{name} is not set"
    return f"{name} {message}"


def _takes_json(annotation: Any) -> bool:  # noqa: ANN401 - any type that a field may have
    """Return whether a field of this type is written as JSON: a list or a mapping, optional or not."""
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, tuple | list | set | frozenset | Mapping):
        return True
    return any(_takes_json(part) for part in get_args(annotation))
