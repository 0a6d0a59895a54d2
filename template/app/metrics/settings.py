"""Settings of the metrics."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from app.core.config.settings import ModuleSettings, RequiredOutsideLocal, StrongSecret


class MetricsSettings(ModuleSettings):
    """Settings of the metrics."""

    METRICS_TOKEN: Annotated[StrongSecret | None, RequiredOutsideLocal] = None
    METRICS_DIR: Path | None = None
    METRICS_HOST: str = "127.0.0.1"
    METRICS_PORT: int | None = Field(default=None, ge=1, le=65535)
