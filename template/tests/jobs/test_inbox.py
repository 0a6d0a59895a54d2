"""Webhooks on this queue: the tests of the inbox once more, and events on their way through Redis to a worker."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.core.db.database import Database
from app.core.inbox import service as inbox
from app.core.inbox import sweeper as inbox_sweeper
from app.core.inbox.models import InboxStatus
from app.core.inbox.service import MAX_ATTEMPTS, UnusableEventError, replay
from app.core.jobs.names import job_name
from app.core.lifecycle import create_runtime, jobs_of
from app.core.runtime import Runtime
from app.jobs.arq_broker import ArqBroker
from app.jobs.broker import Broker, WorkerOptions
from app.jobs.models import JobState
from app.jobs.operations import list_jobs
from app.jobs.outbox import Outbox
from app.redis.connection import connect
from tests.core.inbox.shop import MODULES, OpenShop, Shop, let_come_due, make_tables, only_event, sold, tell
from tests.core.inbox.test_service import (
    TestAtOnce,
    TestFailure,
    TestListEvents,
    TestReceive,
    TestReplay,
    runtime,
    shop,
)
from tests.jobs.sample_jobs import QUICK
from tests.redis.server import RedisServer

__all__ = ["TestAtOnce", "TestFailure", "TestListEvents", "TestReceive", "TestReplay", "runtime", "shop"]

PAUSE = timedelta(milliseconds=10)


def shop_on(database: Database, *, broker: Broker | None = None, worker: WorkerOptions | None = None) -> Runtime:
    """A runtime with the shop, whose jobs are rows."""
    made = create_runtime(MODULES, database=database)
    made.provide(Shop, Shop())
    made.queue = Outbox(made, jobs_of(MODULES), broker=broker, worker=worker, timing=QUICK)
    return made


@pytest.fixture
def open_shop() -> OpenShop:
    """The fixtures of the inbox's tests."""
    return shop_on


@pytest.fixture
async def broker(own_redis: RedisServer) -> AsyncIterator[ArqBroker]:
    """The broker that notifies workers."""
    async with connect(own_redis.url) as client:
        yield ArqBroker(client.connection_pool, queue="q", lease=QUICK.lease)


async def until(runtime: Runtime, status: InboxStatus) -> None:
    """Wait until the event has this status."""
    async with asyncio.timeout(10):
        while (await only_event(runtime)).status != status:  # noqa: ASYNC110 - a worker brings it about
            await asyncio.sleep(0.01)


class TestWorker:
    @pytest.fixture
    async def api(self, live_database: Database, broker: ArqBroker) -> AsyncIterator[Runtime]:
        """A process that takes webhooks and does not work."""
        made = shop_on(live_database, broker=broker)
        await make_tables(made)
        async with made.queue.running(background=True):
            yield made

    @pytest.fixture
    async def worker(self, api: Runtime, live_database: Database, broker: ArqBroker) -> AsyncIterator[Runtime]:
        """One that works."""
        assert api.queue
        made = shop_on(live_database, broker=broker, worker=WorkerOptions())
        async with made.queue.running(background=True):
            yield made

    async def test_has_one_effect_for_repeated_events(self, api: Runtime, worker: Runtime) -> None:
        assert sum(await asyncio.gather(*(tell(api) for _ in range(20)))) == 1
        await until(worker, InboxStatus.DONE)
        assert await tell(api) is False

        assert await sold(api) == ["cup"]
        assert not api.resource(Shop).begun.is_set()
        jobs, _ = await list_jobs(api)
        assert [(job.name, job.key) for job in jobs] == [
            (job_name(inbox.process_inbox_event), f"inbox:{(await only_event(api)).id}")
        ]

    async def test_handles_events_that_were_stored_before_it_started(
        self, live_database: Database, broker: ArqBroker
    ) -> None:
        api = shop_on(live_database)
        await make_tables(api)
        await tell(api)
        worker = shop_on(live_database, broker=broker, worker=WorkerOptions())
        async with worker.queue.running(background=True):
            await until(worker, InboxStatus.DONE)
        assert await sold(api) == ["cup"]

    async def test_fails_after_the_last_attempt_and_succeeds_when_it_is_replayed(
        self, api: Runtime, worker: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox, "FIRST_RETRY_DELAY", PAUSE)
        monkeypatch.setattr(inbox, "MAX_RETRY_DELAY", PAUSE)
        monkeypatch.setattr(inbox_sweeper, "INTERVAL", PAUSE)
        worker.resource(Shop).error = ConnectionError("no answer")
        await tell(api)
        async with inbox_sweeper.sweeping(worker):
            await until(api, InboxStatus.FAILED)
        event = await only_event(api)
        assert (event.attempts, event.error) == (MAX_ATTEMPTS, "ConnectionError: no answer")
        assert await sold(api) == []

        worker.resource(Shop).error = None
        assert await replay(api, event.id)
        await until(api, InboxStatus.DONE)
        assert await sold(api) == ["cup"]
        jobs, _ = await list_jobs(api)
        assert len(jobs) == 2

    async def test_fails_immediately_on_a_permanent_error(self, api: Runtime, worker: Runtime) -> None:
        worker.resource(Shop).error = UnusableEventError("no such item")
        await tell(api)
        await until(api, InboxStatus.FAILED)
        assert (await only_event(api)).attempts == 1

    async def test_that_is_stopped_in_the_midst_leaves_the_event_to_another(
        self, api: Runtime, live_database: Database, broker: ArqBroker
    ) -> None:
        stopped = shop_on(live_database, broker=broker, worker=WorkerOptions(drain_timeout=timedelta()))
        stopped.resource(Shop).hangs = True
        await tell(api)
        async with stopped.queue.running(background=True):
            await asyncio.wait_for(stopped.resource(Shop).begun.wait(), 10)
        ((job,), _) = await list_jobs(api)
        assert (job.state, job.attempts) == (JobState.WAITING, 0)
        assert await sold(api) == []

        await let_come_due(api)
        worker = shop_on(live_database, broker=broker, worker=WorkerOptions())
        async with worker.queue.running(background=True):
            await until(api, InboxStatus.DONE)
        assert await sold(api) == ["cup"]
