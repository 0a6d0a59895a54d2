"""Settings of the queue."""

from datetime import timedelta

from pydantic import Field

from app.core.config.settings import ModuleSettings
from app.jobs.timing import HANDOVER_DELAY, QueueTiming


class JobsSettings(ModuleSettings):
    """Settings of the queue."""

    # Three heartbeats per lease: a worker that a job blocks for longer loses its jobs to other workers.
    JOBS_LEASE: int = Field(default=30, ge=1, le=3600)
    JOBS_KEEP_DAYS: int = Field(default=7, ge=1, le=3650)

    @property
    def timing(self) -> QueueTiming:
        """Return the timeouts and intervals of the queue."""
        lease = timedelta(seconds=self.JOBS_LEASE)
        return QueueTiming(lease=lease, handover_delay=min(lease, HANDOVER_DELAY))
