"""Settings of Sentry."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sentry_sdk.utils import BadDsn, Dsn

from app.core.config.settings import ModuleSettings


def _dsn(value: SecretStr) -> SecretStr:
    if (text := value.get_secret_value()) and not _is_dsn(text):
        raise ValueError("is not a DSN; it looks like https://key@o1.ingest.sentry.io/1, see the project's settings")
    return value


def _is_dsn(text: str) -> bool:
    try:
        return bool(Dsn(text).host)
    except BadDsn:
        return False


class SentrySettings(ModuleSettings):
    """The project in Sentry, and how much is reported to it."""

    SENTRY_DSN: Annotated[SecretStr, AfterValidator(_dsn)] = SecretStr("")
    SENTRY_TRACES_SAMPLE_RATE: float = Field(default=0.1, ge=0, le=1, allow_inf_nan=False)
    SENTRY_TRACES_PER_SECOND: int = Field(default=5, ge=1, le=1000)
    SENTRY_RELEASE: str = Field(default="", max_length=200, pattern=r"^[^\s/\\]*$")
    SENTRY_MESSAGES: bool = False
