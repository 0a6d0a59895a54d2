"""A broker that records, and the state of jobs."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.core.runtime import Runtime
from app.jobs.broker import InProcessBroker
from app.jobs.operations import get_job

SOON = timedelta(seconds=5)
"""Longer than a job takes on any machine."""


class Recorder(InProcessBroker):
    """A broker that records the jobs that are handed over, or rejects them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[UUID] = []
        self.is_away = False

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Broker.send`."""
        if self.is_away:
            raise ConnectionError
        self.sent += ids


async def state_of(runtime: Runtime, id_: str) -> tuple[str, int]:
    """Return the job's state and the number of its attempts."""
    job = await get_job(runtime, UUID(id_))
    assert job is not None
    return job.state, job.attempts
