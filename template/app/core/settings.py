"""Settings: read from the environment and `.env`, checked once, all of them together, before anything starts."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.limiter import Rate

EXAMPLE_SECRETS = frozenset({"changeme", "change-me", "secret", "password", "example", "your-secret-key"})
"""Values that stand in documentation somewhere and therefore protect nothing."""

MIN_SECRET_LENGTH = 32


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
    return info.data.get("ENVIRONMENT", Environment.LOCAL) is not Environment.LOCAL


def _required_outside_local[T](value: T, info: ValidationInfo) -> T:
    if _deployed(info) and not value:
        raise ValueError("is required outside local")
    return value


def _strong_outside_local(value: SecretStr, info: ValidationInfo) -> SecretStr:
    secret = value.get_secret_value()
    if len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(f"needs at least {MIN_SECRET_LENGTH} characters; make one with: openssl rand -hex 32")
    is_example = len(set(secret)) < 8 or any(word in secret.lower() for word in EXAMPLE_SECRETS)
    if _deployed(info) and is_example:
        raise ValueError("is an example value; make one with: openssl rand -hex 32")
    return value


RequiredOutsideLocal = AfterValidator(_required_outside_local)
StrongSecret = Annotated[SecretStr, AfterValidator(_strong_outside_local)]


class ModuleSettings(BaseSettings):
    """Base of every settings class. A module lists its own in its manifest and reads it with `runtime.resource`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        case_sensitive=True,
        hide_input_in_errors=True,
    )

    ENVIRONMENT: Environment = Environment.LOCAL

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

    PROJECT_NAME: str = Field(min_length=1)
    DEBUG: bool = False
    LOG_LEVEL: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    SECRET_KEY: StrongSecret
    API_V1_STR: str = Field(default="/api/v1", pattern="^(/[a-z0-9._-]+)+$")
    BACKEND_CORS_ORIGINS: tuple[str, ...] = ()
    DATABASE_URL: Annotated[
        str | None,
        Field(pattern=r"^(postgresql\+asyncpg|sqlite\+aiosqlite)://"),
        RequiredOutsideLocal,
    ] = None
    DB_POOL_SIZE: int = Field(default=10, ge=1, le=500)
    DB_POOL_RECYCLE: int = Field(default=3600, ge=1)
    DB_USE_NULL_POOL: bool = False
    RATE_LIMIT_DEFAULT: Rate = "60/minute"
    RATE_LIMIT_AUTH: Rate = "5/minute"
    TRUSTED_PROXY_COUNT: int = Field(default=0, ge=0, le=10)
    MAX_BODY_SIZE: int = Field(default=1024 * 1024, ge=1024)

    def with_database(self, url: str) -> Self:
        """The same settings on another database."""
        return self.model_copy(update={"DATABASE_URL": url})


def load_settings(classes: Iterable[type[ModuleSettings]]) -> dict[type[ModuleSettings], ModuleSettings]:
    """Reads every class's settings.

    Raises:
        ConfigurationError: naming every missing, malformed and weak value of all classes at once.
    """
    loaded: dict[type[ModuleSettings], ModuleSettings] = {}
    problems: dict[str, None] = {}
    for cls in classes:
        try:
            loaded[cls] = cls()
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False, include_input=False):
                name = ".".join(str(part) for part in item["loc"]) or cls.__name__
                what = "is not set" if item["type"] == "missing" else item["msg"].removeprefix("Value error, ")
                problems[f"{name} {what}"] = None
    if problems:
        raise ConfigurationError(problems)
    return loaded
