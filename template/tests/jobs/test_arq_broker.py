"""Through Redis: what is handed over, who takes it, and what a worker does when Redis is away."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job as ArqJob
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.lifecycle import running
from app.core.runtime import Runtime
from app.jobs.arq_broker import ArqBroker
from app.jobs.broker import WorkerOptions
from app.jobs.models import JobState
from app.jobs.operations import get_job
from app.redis.connection import connect
from tests.jobs.sample_jobs import QUICK, Work, enqueue, make_runtime, note, wait
from tests.redis.server import RedisServer


@pytest.fixture
async def redis_pool(own_redis: RedisServer) -> AsyncIterator[ArqRedis]:
    """A client of a Redis of the test's own."""
    async with connect(own_redis.url) as client:
        yield ArqRedis(client.connection_pool, job_deserializer=json.loads, default_queue_name="q")


@pytest.fixture
def broker(redis_pool: ArqRedis) -> ArqBroker:
    """The broker that notifies workers."""
    return ArqBroker(redis_pool.connection_pool, queue="q", lease=QUICK.lease)


def worker_of(database: Database, broker: ArqBroker) -> Runtime:
    """A process that works."""
    return make_runtime(database, broker=broker, worker=WorkerOptions(drain_timeout=timedelta(seconds=5)))


class TestSend:
    async def test_jobs_in_redis_have_the_format_of_arq_without_pickle(
        self, redis_pool: ArqRedis, broker: ArqBroker
    ) -> None:
        id_ = uuid7()
        await broker.send([id_])
        await broker.send([id_])

        info = await ArqJob(id_.hex, redis_pool, "q", json.loads).info()
        assert info is not None
        assert (info.function, list(info.args)) == ("run", [])
        assert await redis_pool.zcard("q") == 1

    async def test_room_shrinks(self, broker: ArqBroker) -> None:
        before = await broker.capacity()
        await broker.send([uuid7(), uuid7()])
        assert await broker.capacity() == before - 2


class TestWorker:
    async def test_runs_committed_jobs_and_removes_them_from_redis(
        self, live_database: Database, broker: ArqBroker, redis_pool: ArqRedis
    ) -> None:
        runtime = worker_of(live_database, broker)
        async with running(runtime):
            for number in range(10):
                await enqueue(runtime, note, number)
            await runtime.resource(Work).until(10)
        assert sorted(map(str, runtime.resource(Work).done)) == sorted(map(str, range(10)))
        assert await redis_pool.zcard("q") == 0

    async def test_ignores_a_job_that_is_not_in_the_table(self, live_database: Database, broker: ArqBroker) -> None:
        runtime = worker_of(live_database, broker)
        await broker.send([uuid7()])
        async with running(runtime):
            await enqueue(runtime, note, "one")
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["one"]

    async def test_returns_unfinished_jobs_when_it_stops(
        self, live_database: Database, broker: ArqBroker, redis_pool: ArqRedis
    ) -> None:
        runtime = make_runtime(live_database, broker=broker, worker=WorkerOptions(drain_timeout=timedelta()))
        async with running(runtime):
            id_ = UUID(await enqueue(runtime, wait))
            await runtime.resource(Work).until(1)
        job = await get_job(runtime, id_)
        assert job is not None
        assert (job.state, job.attempts) == (JobState.WAITING, 0)
        assert await redis_pool.zcard("q") == 1

    async def test_a_job_can_outlast_its_mark_in_redis(
        self, live_database: Database, redis_pool: ArqRedis, caplog: pytest.LogCaptureFixture
    ) -> None:
        broker = ArqBroker(redis_pool.connection_pool, queue="q", lease=timedelta(milliseconds=1))
        runtime = worker_of(live_database, broker)
        work = runtime.resource(Work)
        async with running(runtime):
            id_ = UUID(await enqueue(runtime, wait))
            await work.until(1)
            # What comes later is found later than the mark is gone.
            for number in range(2, 4):
                await enqueue(runtime, note, number)
                await work.until(number)
            asyncio.get_running_loop().call_later(0.01, work.gate.set)
        job = await get_job(runtime, id_)
        assert job is not None
        assert (job.state, job.attempts) == (JobState.DONE, 1)
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    async def test_continues_when_redis_is_available_again(
        self, live_database: Database, broker: ArqBroker, own_redis: RedisServer
    ) -> None:
        runtime = worker_of(live_database, broker)
        work = runtime.resource(Work)
        async with running(runtime):
            await enqueue(runtime, note, "before")
            await work.until(1)
            own_redis.stop()
            await enqueue(runtime, note, "meanwhile")
            own_redis.start()
            await work.until(2)
        assert work.done == ["before", "meanwhile"]
