"""Settings of realtime events."""

from datetime import timedelta

from pydantic import Field

from app.core.config.settings import ModuleSettings
from app.core.ports.streams import Retention


class RealtimeSettings(ModuleSettings):
    """Settings of realtime events."""

    REALTIME_HISTORY_SIZE: int = Field(default=1000, ge=1, le=100_000)
    REALTIME_HISTORY_SECONDS: int = Field(default=3600, ge=60, le=7 * 24 * 3600)

    @property
    def retention(self) -> Retention:
        """The history of each channel."""
        lifetime = timedelta(seconds=self.REALTIME_HISTORY_SECONDS)
        return Retention(messages=self.REALTIME_HISTORY_SIZE, lifetime=lifetime)
