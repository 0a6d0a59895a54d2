"""Jobs by the clock: each worker queues what is due, and one of them succeeds."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from app.core.db.database import insert_if_absent
from app.core.jobs.names import job_name
from app.core.jobs.options import options_of
from app.core.manifest import Cron
from app.jobs.models import Job

if TYPE_CHECKING:
    from app.core.runtime import Runtime

MINUTE: Final = timedelta(minutes=1)
LATEST: Final = timedelta(minutes=10)
"""How late a job by the clock may begin; one that is later is left out, as the next is not far."""


class Clock:
    """Queues the jobs whose minute has come.

    At first it makes up for what nobody may have queued while no worker was there, the last time of each job.
    """

    def __init__(self, runtime: "Runtime", crons: Sequence[Cron], *, attempts: int) -> None:
        self._runtime = runtime
        self._crons = crons
        self._attempts = attempts
        self._next: datetime | None = None

    def set(self, time: datetime) -> None:
        """Begins with the minute of another time."""
        self._next = minute_of(time)

    async def tick(self, now: datetime) -> int:
        """Queues what has become due since the last time.

        Returns:
            How many jobs are new.
        """
        first = minute_of(now - LATEST)
        times = minutes(max(self._next or first, first), now)
        due = [(cron, minute) for minute in times for cron in self._crons if matches(cron, minute)]
        if self._next is None:
            due = list(dict(due).items())
        new = 0
        if due:
            async with self._runtime.database.transaction() as session:
                for cron, minute in due:
                    values = self._row(cron, minute)
                    new += await insert_if_absent(session, Job, values, unique=("id",))
        self._next = minute_of(now) + MINUTE
        return new

    def _row(self, cron: Cron, minute: datetime) -> dict[str, object]:
        attempts = options_of(cron.function).attempts or self._attempts
        name = job_name(cron.function)
        values: dict[str, object] = {"id": id_for(name, minute), "name": name, "args": [], "max_attempts": attempts}
        return values | {"run_at": minute, "due_at": minute}


def minute_of(time: datetime) -> datetime:
    """The minute in which the time lies, in UTC."""
    return time.astimezone(UTC).replace(second=0, microsecond=0)


def minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    """All minutes that begin in a span."""
    while first <= last:
        yield first
        first += MINUTE


def matches(cron: Cron, minute: datetime) -> bool:
    """Whether the job is due in the minute; weekdays count from Monday, which is 0."""
    fields = ((cron.minute, minute.minute), (cron.hour, minute.hour), (cron.weekday, minute.weekday()))
    return all(wanted is None or wanted == actual for wanted, actual in fields)


def id_for(name: str, minute: datetime) -> UUID:
    """The key of the job that the function has in the minute: the same for all who think of it.

    A UUIDv7 (RFC 9562) of the minute, so that it sorts with the others, whose random bits come from the name.
    """
    random = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10])
    value = int(minute.timestamp() * 1000) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
