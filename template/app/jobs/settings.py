"""How patient the queue is."""

from datetime import timedelta

from pydantic import Field

from app.core.config.settings import ModuleSettings
from app.jobs.times import GRACE, Times


class JobsSettings(ModuleSettings):
    """What the module needs."""

    # A worker gives three signs of life in this time; one that a job blocks for longer is taken for dead.
    JOBS_LEASE: int = Field(default=30, ge=1, le=3600)
    JOBS_KEEP_DAYS: int = Field(default=7, ge=1, le=3650)

    @property
    def times(self) -> Times:
        """What the queue goes by."""
        lease = timedelta(seconds=self.JOBS_LEASE)
        return Times(lease=lease, grace=min(lease, GRACE))
