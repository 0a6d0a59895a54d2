"""Nothing is lost and nothing is done twice, whatever is killed when: real processes, a real Redis, a real database.

In each suite a few hundred jobs. The whole thing, with ten thousand in each test and Redis away for ten seconds:

    JOBS_FAULTS=10000 uv run pytest tests/jobs/test_faults.py
"""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlmodel import SQLModel, col

from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from app.dev.servers.redis_server import installed
from app.jobs.models import Job, JobState
from tests.databases import Databases
from tests.jobs import shop as processes
from tests.jobs.shop import Attempt, Order, Payment, make_tables, queue, queue_and_die, work
from tests.processes import KILLED, resume, suspend
from tests.redis.server import FakeredisServer, PrivateServer, RedisServer

FULL = "JOBS_FAULTS" in os.environ
JOBS = int(os.environ.get("JOBS_FAULTS", "150"))
REDIS_AWAY = 10.0 if FULL else 0.5
HEARTBEAT_TIMEOUT = 60.0
"""Seconds without progress after which the test fails, even on a busy machine."""
LONGEST = 900.0
"""Seconds that a process may take to end."""
PAUSE = 0.2 if FULL else 0.02
HELD = 0.02
"""Seconds that the database may take for the last statement of a stopped process."""
SECONDS = 0.005
"""Seconds that a job takes in addition to its statements, so that it can be killed while it runs."""


@dataclass(kw_only=True)
class Shop:
    """A database, a Redis, and the processes on them."""

    database: Database
    redis: RedisServer
    environment: Mapping[str, str]
    processes: list[BaseProcess] = field(default_factory=list)
    lost: int = 0
    """Attempts that ended with their worker."""

    def start(self, function: Callable[..., object], *args: object) -> BaseProcess:
        """Run a function of `tests.jobs.shop` in a process."""
        process = _context.Process(target=processes.run, args=(self.environment, function, *args))
        process.start()
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Kill the processes that still run."""
        for process in self.processes:
            process.kill()
            process.join()

    async def count(self, model: type[SQLModel]) -> int:
        """Return the number of rows."""
        async with self.database.reading() as session:
            return (await session.scalars(select(func.count()).select_from(model))).one()

    async def until(self, count: int, reached: Callable[[], Awaitable[int]]) -> None:
        """Wait until other processes have written the number of rows."""
        last = -1
        while last < count:
            try:
                async with asyncio.timeout(HEARTBEAT_TIMEOUT):
                    while (now := await reached()) <= last:  # noqa: ASYNC110 - other processes bring it about
                        await asyncio.sleep(PAUSE)
            except TimeoutError:
                pytest.fail(f"nothing goes on, at {last} of {count}")
            last = now

    async def paid(self, count: int) -> None:
        """Wait until the number of orders is paid."""
        await self.until(count, lambda: self.count(Order))

    async def kill_in_mid_job(self, worker: BaseProcess) -> None:
        """Kill a worker while one of its jobs is running."""
        assert worker.pid is not None
        async with asyncio.timeout(HEARTBEAT_TIMEOUT):
            while True:
                # Held, so that nothing goes on between looking and killing.
                suspend(worker.pid)
                before = await self._unfinished()
                await asyncio.sleep(HELD)
                if before and await self._unfinished():
                    break
                resume(worker.pid)
                await asyncio.sleep(SECONDS)
        self.lost += await self._unfinished()
        worker.kill()
        assert await exit_of(worker) == KILLED

    async def _unfinished(self) -> int:
        return await self.count(Attempt) - await self.count(Order) - self.lost

    async def all_done(self, count: int) -> None:
        """Wait until the number of jobs is done, and check their effects."""

        async def done() -> int:
            async with self.database.reading() as session:
                jobs = select(func.count()).select_from(Job).where(col(Job.state) == JobState.DONE)
                return (await session.scalars(jobs)).one()

        await self.until(count, done)
        async with self.database.reading() as session:
            numbers = (await session.scalars(select(col(Payment.number)).order_by(col(Payment.number)))).all()
        assert list(numbers) == list(range(count))
        assert await self.count(Job) == count


# A process of which each other one is a copy: importing the application takes longer than most of the tests.
if sys.platform == "win32":
    _context = multiprocessing.get_context("spawn")
else:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload([processes.__name__])


@pytest.fixture
def forgetful_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that comes back empty; where there is none, workers look into the table, which has to do as well."""
    if installed() is None:
        yield FakeredisServer("")
        return
    server = PrivateServer(tmp_path / "redis", "--save", "")
    server.start()
    yield server
    server.stop()


async def exit_of(process: BaseProcess) -> int | None:
    """The ways in which a process ends."""
    async with asyncio.timeout(LONGEST):
        await asyncio.to_thread(process.join)
    return process.exitcode


@pytest.fixture
def lease() -> int:
    """JOBS_LEASE: one second, so that other workers soon take over the jobs of killed ones."""
    return 1


@pytest.fixture
async def shop(databases: Databases, forgetful_redis: RedisServer, lease: int, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop of its own."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        database = create_database(Settings().with_database(url))
        stack.push_async_callback(database.dispose)
        await make_tables(database)
        environment = os.environ | {
            "DATABASE_URL": url,
            "REDIS_URL": "" if isinstance(forgetful_redis, FakeredisServer) else forgetful_redis.url,
            "JOBS_LEASE": str(lease),
            "TMPDIR": str(tmp_path),
        }
        opened = Shop(database=database, redis=forgetful_redis, environment=environment)
        stack.callback(opened.end)
        yield opened


# Where nobody is killed each job is run once: with a lease that no busy machine outlasts.
@pytest.mark.parametrize("lease", [60])
async def test_two_workers_share_the_jobs_and_do_each_once(shop: Shop) -> None:
    shop.start(work)
    shop.start(work)
    shop.start(queue, range(JOBS), SECONDS)
    await shop.all_done(JOBS)

    assert await shop.count(Attempt) == JOBS


async def test_an_api_that_is_killed_between_commit_and_relay_loses_no_job(shop: Shop) -> None:
    shop.start(work)
    for first in range(0, JOBS, JOBS // 2):
        numbers = range(first, first + JOBS // 2)
        assert await exit_of(shop.start(queue_and_die, numbers, SECONDS)) == KILLED
    await shop.all_done(JOBS)


async def test_a_worker_that_is_killed_during_a_job_loses_no_job(shop: Shop) -> None:
    shop.start(queue, range(JOBS), SECONDS)
    for part in (1, 2):
        worker = shop.start(work)
        await shop.paid(JOBS * part // 3)
        await shop.kill_in_mid_job(worker)
    shop.start(work)
    await shop.all_done(JOBS)

    assert await shop.count(Attempt) > JOBS


async def test_no_job_is_lost_while_redis_is_unavailable(shop: Shop) -> None:
    shop.start(work)
    queueing = shop.start(queue, range(JOBS), SECONDS)
    await shop.paid(JOBS // 10)
    shop.redis.stop()
    await asyncio.sleep(REDIS_AWAY)
    shop.redis.start()
    assert await exit_of(queueing) == 0
    await shop.all_done(JOBS)


@pytest.mark.parametrize("lease", [60])
async def test_a_worker_that_is_stopped_leaves_no_job_unfinished(shop: Shop) -> None:
    shop.start(queue, range(JOBS), SECONDS)
    worker = shop.start(work)
    await shop.paid(JOBS // 2)
    worker.terminate()
    assert await exit_of(worker) == 0
    assert await shop.count(Attempt) == await shop.count(Order)
    shop.start(work)
    await shop.all_done(JOBS)

    assert await shop.count(Attempt) == JOBS
