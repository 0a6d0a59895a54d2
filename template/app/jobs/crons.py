"""Scheduled jobs: every worker enqueues the due jobs, and one of them succeeds."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from app.core.db.database import insert_if_absent
from app.core.jobs.names import job_name
from app.core.jobs.options import options_of
from app.core.manifest import Cron, modules_of
from app.jobs.models import Job

if TYPE_CHECKING:
    from app.core.runtime import Runtime

MINUTE: Final = timedelta(minutes=1)
MAX_LATENESS: Final = timedelta(minutes=10)
"""Maximum delay of a scheduled job. A run that is later is skipped."""


class Schedule:
    """The schedule of a cron.

    Raises:
        ValueError: the schedule or its time zone is invalid, or it never runs. The message names the job.
    """

    def __init__(self, cron: Cron) -> None:
        self.cron = cron
        self.name = job_name(cron.function)
        try:
            self._zone = ZoneInfo(cron.time_zone)
            next(CronSim(cron.expression, datetime.now(self._zone)))
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"The schedule of {self.name} has an unknown time zone: {cron.time_zone}") from None
        except CronSimError as error:
            raise ValueError(f"The schedule of {self.name} ({cron.expression}) is invalid: {error}") from None
        except StopIteration:
            raise ValueError(f"The schedule of {self.name} ({cron.expression}) never runs.") from None

    def after(self, time: datetime) -> Iterator[datetime]:
        """Iterate over the runs after a time, in UTC.

        At a change to daylight saving time, a run in the skipped hour starts when that hour would have begun or ended.
        At the change back, a run in the repeated hour starts once, at its first occurrence. Schedules with `*` in the
        minute or the hour run by elapsed time instead: not in the skipped hour, and in both repeated ones.
        """
        for run in CronSim(self.cron.expression, time.astimezone(self._zone)):
            yield run.astimezone(UTC)

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Iterate over the runs from a full minute until a time, both included, in UTC."""
        for run in self.after(first - MINUTE):
            if run > last:
                return
            yield run


class CronScheduler:
    """A scheduler that enqueues the scheduled jobs that are due.

    At the first tick it catches up on what no worker enqueued before: the last run of each job, up to `MAX_LATENESS`
    late.

    Raises:
        ValueError: a schedule is invalid.
    """

    def __init__(self, runtime: "Runtime", crons: Sequence[Cron], *, attempts: int) -> None:
        self._runtime = runtime
        self._schedules = [Schedule(cron) for cron in crons]
        self._attempts = attempts
        self._from: datetime | None = None
        self._next_runs: dict[int, datetime] = {}

    def set(self, time: datetime) -> None:
        """Start with the minute of another time."""
        self._from = minute_of(time)
        self._next_runs.clear()

    async def tick(self, now: datetime) -> int:
        """Enqueue the jobs that have become due since the last tick.

        Returns:
            The number of new jobs.
        """
        earliest = minute_of(now - MAX_LATENESS)
        runs = self._due(max(self._from or earliest, earliest), now)
        if self._from is None:
            runs = list(dict(runs).items())
        new = 0
        if runs:
            async with self._runtime.database.transaction() as session:
                for schedule, time in runs:
                    values = self._row(schedule, time)
                    new += await insert_if_absent(session, Job, values, unique=("id",))
        self._from = minute_of(now) + MINUTE
        for schedule, _ in runs:
            self._next_runs.pop(id(schedule), None)
        return new

    def _due(self, first: datetime, now: datetime) -> list[tuple[Schedule, datetime]]:
        due: list[tuple[Schedule, datetime]] = []
        for schedule in self._schedules:
            next_run = self._next_runs.get(id(schedule))
            if next_run is None:
                # Once per run, not once per tick: the search takes longer than the rest of a tick.
                next_run = self._next_runs[id(schedule)] = next(schedule.after(first - MINUTE))
            if next_run <= now:
                due += [(schedule, run) for run in schedule.between(first, now)]
        return due

    def _row(self, schedule: Schedule, time: datetime) -> dict[str, object]:
        attempts = options_of(schedule.cron.function).attempts or self._attempts
        values: dict[str, object] = {"id": id_for(schedule.name, time), "name": schedule.name, "args": []}
        return values | {"max_attempts": attempts, "run_at": time, "due_at": time}


def crons_of(runtime: "Runtime") -> list[Cron]:
    """Return the crons of all modules."""
    return [cron for module in modules_of(runtime) for cron in module.crons]


def minute_of(time: datetime) -> datetime:
    """Return the beginning of the minute, in UTC."""
    return time.astimezone(UTC).replace(second=0, microsecond=0)


def id_for(name: str, minute: datetime) -> UUID:
    """Return the key of the job that runs in the minute: the same on every worker.

    A UUIDv7 (RFC 9562) of the minute, so that it sorts like other keys. Its random bits are a hash of the name.
    """
    random = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10])
    value = int(minute.timestamp() * 1000) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
