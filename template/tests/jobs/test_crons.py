"""Jobs by the clock."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.db.database import Database
from app.core.manifest import Cron
from app.core.runtime import Runtime
from app.jobs.crons import Clock, id_for, matches
from app.jobs.operations import list_jobs
from tests.jobs.work import Work, fail, make_runtime, note, queue_another

NOON = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
"""A Monday."""
HOURLY, DAILY = Cron(function=queue_another), Cron(function=fail, hour=12)


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with an outbox that nobody works off but `drain`."""
    return make_runtime(database)


def clock(runtime: Runtime, *crons: Cron, at: datetime = NOON) -> Clock:
    """A clock that was made at a time."""
    made = Clock(runtime, crons, attempts=3)
    made.set(at)
    return made


class TestMatches:
    @pytest.mark.parametrize(
        ("cron", "minute", "expected"),
        [
            (Cron(function=note), NOON, True),
            (Cron(function=note), NOON + timedelta(minutes=1), False),
            (Cron(function=note, minute=None), NOON + timedelta(minutes=1), True),
            (Cron(function=note, minute=30, hour=12), NOON + timedelta(minutes=30), True),
            (Cron(function=note, hour=11), NOON, False),
            (Cron(function=note, weekday=0), NOON, True),
            (Cron(function=note, weekday=6), NOON, False),
        ],
    )
    def test_none_means_every(self, cron: Cron, minute: datetime, expected: bool) -> None:  # noqa: FBT001 - a case
        assert matches(cron, minute) is expected


class TestTick:
    async def test_queues_what_is_due_once_for_all_workers(self, runtime: Runtime) -> None:
        workers = [clock(runtime, HOURLY, DAILY) for _ in range(3)]
        assert [await worker.tick(NOON + timedelta(seconds=5)) for worker in workers] == [2, 0, 0]
        await runtime.queue.drain()

        assert sorted(map(str, runtime.resource(Work).done)) == ["second", "tried"]

    async def test_a_worker_that_starts_again_within_the_minute_queues_nothing_twice(self, runtime: Runtime) -> None:
        assert await clock(runtime, HOURLY).tick(NOON) == 1
        await runtime.queue.drain()
        assert await clock(runtime, HOURLY).tick(NOON + timedelta(seconds=59)) == 0

    async def test_a_minute_that_was_slept_through_is_made_up_for(self, runtime: Runtime) -> None:
        worker = clock(runtime, HOURLY, at=NOON - timedelta(minutes=3))
        assert await worker.tick(NOON + timedelta(minutes=2)) == 1
        assert await worker.tick(NOON + timedelta(minutes=2, seconds=1)) == 0

    async def test_what_came_while_there_was_no_worker_is_made_up_for_once(self, runtime: Runtime) -> None:
        every_minute = Cron(function=note, minute=None)
        for _ in range(2):
            await Clock(runtime, (HOURLY, DAILY, every_minute), attempts=3).tick(NOON + timedelta(minutes=9))
        jobs, _ = await list_jobs(runtime)

        assert sorted((job.name, job.run_at) for job in jobs) == [
            ("tests.fail", NOON),
            ("tests.note", NOON + timedelta(minutes=9)),
            ("tests.queue_another", NOON),
        ]

    async def test_of_what_is_long_past_a_new_worker_begins_nothing(self, runtime: Runtime) -> None:
        assert await Clock(runtime, (HOURLY, DAILY), attempts=3).tick(NOON + timedelta(minutes=11)) == 0

    async def test_hours_that_were_slept_through_are_not(self, runtime: Runtime) -> None:
        worker = clock(runtime, Cron(function=note, minute=None), at=NOON - timedelta(hours=5))
        assert await worker.tick(NOON) == 11

    async def test_the_job_has_the_minute_s_time(self, runtime: Runtime) -> None:
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
