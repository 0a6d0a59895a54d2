"""Scheduled jobs."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from app.core.db.database import Database
from app.core.manifest import Cron
from app.core.runtime import Runtime
from app.jobs.crons import CronScheduler, Schedule, id_for
from app.jobs.operations import list_jobs
from tests.jobs.sample_jobs import Work, fail, make_runtime, note, queue_another

NOON = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
"""A Monday."""
HOURLY, DAILY = Cron(function=queue_another), Cron(function=fail, hour=12)


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with an outbox whose jobs run only in `drain`."""
    return make_runtime(database)


def clock(runtime: Runtime, *crons: Cron, at: datetime = NOON) -> CronScheduler:
    """A clock that was made at a time."""
    made = CronScheduler(runtime, crons, attempts=3)
    made.set(at)
    return made


BERLIN = "Europe/Berlin"


def runs(cron: Cron, after: str, count: int) -> list[str]:
    """The next runs after a local time, as local times with their offsets from UTC."""
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(cron.time_zone))
    times = islice(Schedule(cron).after(start), count)
    return [time.astimezone(ZoneInfo(cron.time_zone)).isoformat(timespec="minutes") for time in times]


class TestSchedule:
    @pytest.mark.parametrize(
        ("cron", "expected"),
        [
            (Cron(function=note), ["2030-01-07T13:00", "2030-01-07T14:00"]),
            (Cron(function=note, minute="*"), ["2030-01-07T12:01", "2030-01-07T12:02"]),
            (Cron(function=note, minute="*/15"), ["2030-01-07T12:15", "2030-01-07T12:30"]),
            (Cron(function=note, minute=30, hour=12), ["2030-01-07T12:30", "2030-01-08T12:30"]),
            (Cron(function=note, hour=9, weekday="MON-FRI"), ["2030-01-08T09:00", "2030-01-09T09:00"]),
            (Cron(function=note, hour=9, weekday="SUN"), ["2030-01-13T09:00", "2030-01-20T09:00"]),
            (Cron(function=note, hour=0, day=1), ["2030-02-01T00:00", "2030-03-01T00:00"]),
            (Cron(function=note, hour=0, day="L"), ["2030-01-31T00:00", "2030-02-28T00:00"]),
            (Cron(function=note, hour=0, day=29, month="FEB"), ["2032-02-29T00:00", "2036-02-29T00:00"]),
        ],
    )
    def test_takes_the_fields_of_cron(self, cron: Cron, expected: list[str]) -> None:
        assert runs(cron, "2030-01-07T12:00", 2) == [f"{time}+00:00" for time in expected]

    def test_is_in_the_time_zone_of_the_cron(self) -> None:
        nine = Cron(function=note, hour=9, time_zone=BERLIN)
        assert runs(nine, "2030-03-30T12:00", 2) == ["2030-03-31T09:00+02:00", "2030-04-01T09:00+02:00"]
        assert runs(nine, "2030-10-26T12:00", 2) == ["2030-10-27T09:00+01:00", "2030-10-28T09:00+01:00"]

    def test_in_the_skipped_hour_runs_once_at_its_end(self) -> None:
        nightly = Cron(function=note, minute=30, hour=2, time_zone=BERLIN)
        assert runs(nightly, "2030-03-30T12:00", 2) == ["2030-03-31T03:00+02:00", "2030-04-01T02:30+02:00"]

    def test_in_the_repeated_hour_runs_once_at_its_first_occurrence(self) -> None:
        nightly = Cron(function=note, minute=30, hour=2, time_zone=BERLIN)
        assert runs(nightly, "2030-10-26T12:00", 2) == ["2030-10-27T02:30+02:00", "2030-10-28T02:30+01:00"]

    def test_with_a_wildcard_runs_by_elapsed_time(self) -> None:
        often = Cron(function=note, minute="*/30", time_zone=BERLIN)
        assert runs(often, "2030-03-31T01:30", 2) == ["2030-03-31T03:00+02:00", "2030-03-31T03:30+02:00"]
        assert runs(often, "2030-10-27T02:00", 4) == [
            "2030-10-27T02:30+02:00",
            "2030-10-27T02:00+01:00",
            "2030-10-27T02:30+01:00",
            "2030-10-27T03:00+01:00",
        ]

    @pytest.mark.parametrize(
        ("cron", "message"),
        [
            (Cron(function=note, minute=60), r"tests\.note \(60 \* \* \* \*\) is invalid: Bad minute"),
            (Cron(function=note, weekday="FUNDAY"), "is invalid: Bad day-of-week"),
            (Cron(function=note, hour=0, day=30, month=2), "never runs|is invalid"),
            (Cron(function=note, time_zone="Europe/Atlantis"), "unknown time zone: Europe/Atlantis"),
            (Cron(function=note, time_zone="../etc"), "unknown time zone"),
        ],
    )
    def test_that_is_invalid_stops_the_start(self, database: Database, cron: Cron, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            make_runtime(database, crons=(cron,))


class TestTick:
    async def test_queues_due_jobs_once_for_all_workers(self, runtime: Runtime) -> None:
        workers = [clock(runtime, HOURLY, DAILY) for _ in range(3)]
        assert [await worker.tick(NOON + timedelta(seconds=5)) for worker in workers] == [2, 0, 0]
        await runtime.queue.drain()

        assert sorted(map(str, runtime.resource(Work).done)) == ["second", "tried"]

    async def test_a_restart_within_the_minute_queues_no_duplicate(self, runtime: Runtime) -> None:
        assert await clock(runtime, HOURLY).tick(NOON) == 1
        await runtime.queue.drain()
        assert await clock(runtime, HOURLY).tick(NOON + timedelta(seconds=59)) == 0

    async def test_a_missed_minute_is_made_up(self, runtime: Runtime) -> None:
        worker = clock(runtime, HOURLY, at=NOON - timedelta(minutes=3))
        assert await worker.tick(NOON + timedelta(minutes=2)) == 1
        assert await worker.tick(NOON + timedelta(minutes=2, seconds=1)) == 0

    async def test_jobs_that_were_due_without_a_worker_are_queued_once(self, runtime: Runtime) -> None:
        every_minute = Cron(function=note, minute="*")
        for _ in range(2):
            await CronScheduler(runtime, (HOURLY, DAILY, every_minute), attempts=3).tick(NOON + timedelta(minutes=9))
        jobs, _ = await list_jobs(runtime)

        assert sorted((job.name, job.run_at) for job in jobs) == [
            ("tests.fail", NOON),
            ("tests.note", NOON + timedelta(minutes=9)),
            ("tests.queue_another", NOON),
        ]

    async def test_a_new_worker_ignores_jobs_that_were_due_long_ago(self, runtime: Runtime) -> None:
        assert await CronScheduler(runtime, (HOURLY, DAILY), attempts=3).tick(NOON + timedelta(minutes=11)) == 0

    async def test_hours_that_were_slept_through_are_not(self, runtime: Runtime) -> None:
        worker = clock(runtime, Cron(function=note, minute="*"), at=NOON - timedelta(hours=5))
        assert await worker.tick(NOON) == 11

    async def test_the_job_has_the_time_of_its_minute(self, runtime: Runtime) -> None:
        await clock(runtime, DAILY).tick(NOON + timedelta(seconds=30))
        ((job,), _) = await list_jobs(runtime)
        assert (job.run_at, job.due_at, job.max_attempts) == (NOON, NOON, 3)


class TestId:
    def test_is_the_same_for_all_and_sorts_by_time(self) -> None:
        first, second = id_for("a.b", NOON), id_for("a.b", NOON + timedelta(minutes=1))
        assert first == id_for("a.b", NOON)
        assert first < second
        assert first != id_for("a.c", NOON)
        assert (first.version, first.variant) == (7, "specified in RFC 4122")
