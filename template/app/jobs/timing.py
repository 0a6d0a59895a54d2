"""Timeouts and intervals of the queue."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

HANDOVER_DELAY: Final = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueTiming:
    """Timeouts and intervals of the queue.

    Attributes:
        lease: how long a job belongs to a worker without a heartbeat, and after which a job that no worker has started
            is handed over again.
        handover_delay: how long the process that enqueued a job may take to hand it over before the sweeper does.
        poll_interval: between two sweeps.
        max_poll_interval: between two sweeps while the database or the broker is unavailable.
        first_retry_delay: after a job's first failure. Doubles with each further one.
        max_retry_delay: the maximum delay between two attempts.
    """

    lease: timedelta = timedelta(seconds=30)
    handover_delay: timedelta = HANDOVER_DELAY
    poll_interval: timedelta = timedelta(seconds=1)
    max_poll_interval: timedelta = timedelta(seconds=5)
    first_retry_delay: timedelta = timedelta(seconds=2)
    max_retry_delay: timedelta = timedelta(minutes=10)

    @property
    def heartbeat_interval(self) -> timedelta:
        """Between two heartbeats of a worker, which renew the leases of its jobs."""
        return self.lease / 3
