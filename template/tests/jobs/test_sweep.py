"""Handing over due jobs to the broker."""

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.lifecycle import running
from app.jobs.models import Job
from tests.jobs.sample_jobs import enqueue, make_runtime, note, outbox_of
from tests.jobs.workers import Recorder


class TestSweep:
    async def test_hands_over_due_jobs_and_again_after_a_lease(self, database: Database) -> None:
        broker = Recorder()
        runtime = make_runtime(database, broker=broker)
        sweeper = outbox_of(runtime).sweeper()
        id_ = UUID(await enqueue(runtime, note, "one"))
        await enqueue(runtime, note, "later", delay=60)

        await sweeper.sweep()
        await sweeper.sweep()
        assert broker.sent == [id_]
        async with runtime.database.transaction() as session:
            job = await session.get_one(Job, id_)
            job.due_at = job.run_at
        await sweeper.sweep()
        assert broker.sent == [id_, id_]

    async def test_jobs_that_could_not_be_handed_over_stay_due(self, database: Database) -> None:
        broker = Recorder()
        runtime = make_runtime(database, broker=broker)
        sweeper = outbox_of(runtime).sweeper()
        id_ = UUID(await enqueue(runtime, note, "one"))
        broker.is_away = True
        with pytest.raises(ConnectionError):
            await sweeper.sweep()
        broker.is_away = False
        await sweeper.sweep()

        assert broker.sent == [id_]

    async def test_hands_over_no_more_jobs_than_the_capacity(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broker = Recorder()
        runtime = make_runtime(database, broker=broker)
        ids = [UUID(await enqueue(runtime, note, number)) for number in range(3)]
        rooms = iter([2, 0])

        async def capacity() -> int:
            return next(rooms)

        monkeypatch.setattr(broker, "capacity", capacity)
        await outbox_of(runtime).sweeper().sweep()

        assert broker.sent == ids[:2]


class TestRelay:
    async def test_hands_over_committed_jobs(self, live_database: Database) -> None:
        broker = Recorder()
        runtime = make_runtime(live_database, broker=broker)
        async with running(runtime):
            ids = [UUID(await enqueue(runtime, note, number)) for number in range(3)]
            await enqueue(runtime, note, "later", delay=60)
        assert broker.sent == ids

    async def test_leaves_failed_jobs_to_the_sweep(self, live_database: Database) -> None:
        broker = Recorder()
        broker.is_away = True
        runtime = make_runtime(live_database, broker=broker)
        with capture_logs() as logs:
            async with running(runtime):
                await enqueue(runtime, note, "one")
        broker.is_away = False
        assert [(entry["event"], entry["count"]) for entry in logs] == [("jobs_left_to_the_sweep", 1)]
        await outbox_of(runtime).sweeper().sweep()
        assert len(broker.sent) == 1
