"""Settings of the metrics."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from app.core.config.settings import ModuleSettings, RequiredOutsideLocal, StrongSecret

BEARER_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""The characters of a bearer token (RFC 6750 §2.1). No client could send others."""


def _bearer_token(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not BEARER_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("may contain only letters and digits of ASCII and the characters - . _ ~ + / and a final =")
    return value


class MetricsSettings(ModuleSettings):
    """Settings of the metrics."""

    METRICS_TOKEN: Annotated[StrongSecret | None, AfterValidator(_bearer_token), RequiredOutsideLocal] = None
    METRICS_DIR: Path | None = None
    METRICS_HOST: str = "127.0.0.1"
    METRICS_PORT: int | None = Field(default=None, ge=1, le=65535)
