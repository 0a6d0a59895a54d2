"""Measures the queue of a rendered project beside plain arq, on the same Redis, in turns. Prints one JSON a round.

`jobs.py JOBS ROUNDS`, with the project's Python.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvloop
from app.core.lifecycle import create_runtime, jobs_of, running
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.dev.servers.postgres import private_postgres
from app.dev.servers.redis_server import private_server
from app.jobs.arq_server import to_json
from app.jobs.models import JobState, jobs
from app.jobs.module import module as jobs_module
from app.jobs.module import open_server
from app.jobs.outbox import Outbox
from app.jobs.server import Working
from app.migrate.migrations import upgrade
from app.modules import MODULES
from app.redis.connection import connect
from arq.connections import ArqRedis
from arq.worker import Worker, func
from sqlalchemy import exists, select

CONCURRENCY = 10
"""arq's own default, for both."""
AT_ONCE = 8
IDLE_SECONDS = 5.0


async def nothing(_runtime: Runtime) -> None:
    """Do nothing."""


async def plain(_ctx: dict[str, object]) -> None:
    """Do nothing, for arq."""


def project(working: Working | None) -> Runtime:
    """A runtime whose process works as told, and not because it is in local."""

    @asynccontextmanager
    async def lifespan(runtime: Runtime) -> AsyncIterator[None]:
        async with open_server(runtime) as server:
            runtime.queue = Outbox(runtime, jobs_of(runtime.modules), server=server, working=working)
            yield

    modules = [replace(module, lifespan=lifespan) if module is jobs_module else module for module in MODULES]
    return create_runtime([*modules, Module(name="bench", jobs=(nothing,))])


async def rate(count: int, work: Awaitable[object]) -> float:
    """How many a second."""
    started = time.perf_counter()
    await work
    return count / (time.perf_counter() - started)


async def enqueue_each(runtime: Runtime, count: int) -> None:
    """Queue jobs as requests do, each in a transaction, a few at once."""
    left = iter(range(count))

    async def some() -> None:
        for _ in left:
            async with runtime.database.transaction() as session:
                await runtime.queue.enqueue(session, nothing)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def enqueue_together(runtime: Runtime, count: int) -> None:
    """Queue jobs in one transaction."""
    async with runtime.database.transaction() as session:
        for _ in range(count):
            await runtime.queue.enqueue(session, nothing)


async def until_done(runtime: Runtime) -> None:
    """Return when nothing waits or runs."""
    unfinished = select(exists().where(jobs.c.state.in_([JobState.WAITING, JobState.RUNNING])))
    while (await runtime.database.fetch(unfinished, {}))[0][0]:  # noqa: ASYNC110 - only the database knows
        await asyncio.sleep(0.02)


async def outbox(count: int) -> dict[str, float]:
    """What the project's queue reaches: jobs a second of each step."""
    async with running(project(None)) as runtime:
        each = await rate(count, enqueue_each(runtime, count))
        together = await rate(count, enqueue_together(runtime, count))
    async with running(project(Working(concurrency=CONCURRENCY))) as runtime:
        worked = await rate(2 * count, until_done(runtime))
    return {"each": each, "together": together, "worked": worked}


async def arq(url: str, count: int, **options: float) -> float:
    """Jobs a second of arq alone."""
    async with connect(url, timeout=5) as client:
        redis = ArqRedis(
            client.connection_pool, job_serializer=to_json, job_deserializer=json.loads, default_queue_name="plain"
        )
        for _ in range(0, count, 20):
            await asyncio.gather(*(redis.enqueue_job("plain") for _ in range(20)))
        worker = Worker(
            [func(plain, name="plain")],
            queue_name="plain",
            redis_pool=redis,
            burst=True,
            handle_signals=False,
            max_jobs=CONCURRENCY,
            keep_result=0,
            job_serializer=to_json,
            job_deserializer=json.loads,
            **options,
        )
        return await rate(count, worker.async_run())


async def idle(opened: Callable[[], AbstractAsyncContextManager[object]]) -> float:
    """The share of a core that a process takes which has nothing to do."""
    async with opened():
        await asyncio.sleep(2)
        before = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        return (time.process_time() - before) / IDLE_SECONDS


async def measure(url: str, count: int, rounds: int) -> None:
    """Take turns."""
    for _ in range(rounds):
        figures = await outbox(count)
        figures["arq"] = await arq(url, 2 * count)
        figures["arq_polling"] = await arq(url, 2 * count, poll_delay=0.1)
        sys.stdout.write(json.dumps(figures) + "\n")
    idles = {
        "idle_api": await idle(lambda: running(project(None))),
        "idle_worker": await idle(lambda: running(project(Working(concurrency=CONCURRENCY)))),
    }
    sys.stdout.write(json.dumps(idles) + "\n")


def main(count: int, rounds: int) -> None:
    """Measure on servers of its own."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = stack.enter_context(private_postgres(Path(folder) / "postgres"))
        url = stack.enter_context(private_server(Path(folder) / "redis"))
        os.environ |= {"DATABASE_URL": server.url(), "REDIS_URL": url}
        upgrade(server.url())
        asyncio.run(measure(url, count, rounds), loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
