"""A worker from start to stop."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.lifecycle import running
from app.core.manifest import Cron
from app.jobs.broker import WorkerOptions
from app.jobs.models import JobState
from tests.jobs.sample_jobs import Work, enqueue, fail, make_runtime, note, outbox_of, queue_another, wait
from tests.jobs.workers import SOON, state_of


class TestAlone:
    """One process serves and works, as in local."""

    async def test_jobs_and_those_that_they_queue_start_automatically(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions())
        async with running(runtime):
            await enqueue(runtime, queue_another)
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["second"]

    async def test_jobs_of_another_process_are_run(self, live_database: Database) -> None:
        await enqueue(make_runtime(live_database), note, "left")
        runtime = make_runtime(live_database, worker=WorkerOptions())
        async with running(runtime):
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["left"]

    async def test_failed_jobs_are_retried(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions())
        runtime.resource(Work).failures = 2
        async with running(runtime):
            id_ = await enqueue(runtime, fail)
            await runtime.resource(Work).until(3)
        assert await state_of(runtime, id_) == (JobState.DONE, 3)

    async def test_cron_jobs_are_run(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(), crons=(Cron(function=queue_another, minute="*"),))
        async with running(runtime):
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["second"]

    async def test_the_heartbeat_is_called(self, live_database: Database) -> None:
        alive = asyncio.Event()
        async with running(make_runtime(live_database, worker=WorkerOptions(heartbeat=alive.set))):
            await asyncio.wait_for(alive.wait(), 5)

    async def test_a_failing_heartbeat_is_logged_once_and_ignored(self, live_database: Database) -> None:
        calls = asyncio.Semaphore(0)

        def alive() -> None:
            calls.release()
            raise PermissionError

        runtime = make_runtime(live_database, worker=WorkerOptions(heartbeat=alive))
        with capture_logs() as logs:
            async with running(runtime):
                for _ in range(3):
                    await asyncio.wait_for(calls.acquire(), 5)
        assert [entry["event"] for entry in logs] == ["jobs_heartbeat_failed"]


class TestStop:
    async def test_running_jobs_can_finish(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(drain_timeout=SOON))
        work = runtime.resource(Work)
        async with running(runtime):
            id_ = await enqueue(runtime, wait)
            await work.until(1)
            asyncio.get_running_loop().call_later(0.01, work.gate.set)
        assert await state_of(runtime, id_) == (JobState.DONE, 1)

    async def test_unfinished_jobs_are_returned_without_counting_the_attempt(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(drain_timeout=timedelta()))
        async with running(runtime):
            id_ = await enqueue(runtime, wait)
            await runtime.resource(Work).until(1)
        assert await state_of(runtime, id_) == (JobState.WAITING, 0)


class TestOutage:
    async def test_an_outcome_is_written_when_the_database_is_back(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = make_runtime(database)
        ledger = outbox_of(runtime).ledger
        id_ = await enqueue(runtime, note, "one")
        monkeypatch.setattr(ledger, "finish", failing(ledger.finish, times=2))
        await outbox_of(runtime).runner.run(UUID(id_))

        assert await state_of(runtime, id_) == (JobState.DONE, 1)
        assert runtime.resource(Work).done == ["one"]


def failing[R, **P](function: Callable[P, R], *, times: int) -> Callable[P, R]:
    """Return the function, which first fails a few times."""
    left = iter(range(times))

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if next(left, None) is not None:
            raise ConnectionError
        return function(*args, **kwargs)

    return call
