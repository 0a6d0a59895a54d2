"""Nothing is lost and nothing is done twice, whatever is killed when: real processes, a real Redis, a real database.

In each suite a few hundred jobs. The whole thing, with ten thousand in each test and Redis away for ten seconds:

    JOBS_FAULTS=full uv run pytest tests/jobs/test_faults.py
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlmodel import SQLModel, col

from app.core.database import Database, create_database
from app.core.settings import Settings
from app.jobs.models import Job, JobState
from tests.databases import Databases
from tests.jobs.redis_server import RedisServer
from tests.jobs.shop import Attempt, Order, Payment, make_tables

FULL = os.environ.get("JOBS_FAULTS") == "full"
JOBS = 10_000 if FULL else 300
REDIS_AWAY = 10.0 if FULL else 1.0
PATIENCE = 300.0 if FULL else 60.0
SECONDS = "0.005"
"""How long a job takes besides its statements: so that there is something to be killed in."""


@dataclass(kw_only=True)
class Shop:
    """A database, a Redis, and the processes on them."""

    database: Database
    redis: RedisServer
    environment: dict[str, str]
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Starts a process of the shop."""
        command = (sys.executable, "-m", "tests.jobs.shop", *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=asyncio.subprocess.DEVNULL
        )
        self.processes.append(process)
        return process

    async def end(self) -> None:
        """Ends what still runs."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def count(self, model: type[SQLModel]) -> int:
        """How many rows there are."""
        async with self.database.reading() as session:
            return (await session.scalars(select(func.count()).select_from(model))).one()

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Returns when something has come about."""
        async with asyncio.timeout(PATIENCE):
            while not await condition():
                await asyncio.sleep(0.02)

    async def paid(self, count: int) -> None:
        """Returns when so many orders are paid."""

        async def enough() -> bool:
            return await self.count(Order) >= count

        await self.until(enough)

    async def all_done(self, count: int) -> None:
        """Returns when so many jobs are done, and makes sure of what they did."""

        async def enough() -> bool:
            async with self.database.reading() as session:
                done = select(func.count()).select_from(Job).where(col(Job.state) == JobState.DONE)
                return (await session.scalars(done)).one() >= count

        await self.until(enough)
        async with self.database.reading() as session:
            numbers = (await session.scalars(select(col(Payment.number)).order_by(col(Payment.number)))).all()
        assert list(numbers) == list(range(count))
        assert await self.count(Job) == count


@pytest.fixture
async def shop(databases: Databases, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop of its own."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        database = create_database(Settings().with_database(url))
        stack.push_async_callback(database.dispose)
        await make_tables(database)
        environment = os.environ | {
            "DATABASE_URL": url,
            "REDIS_URL": redis_server.url,
            "JOBS_LEASE": "2",
            "SHOP_SECONDS": SECONDS,
            "TMPDIR": str(tmp_path),
        }
        opened = Shop(database=database, redis=redis_server, environment=environment)
        stack.push_async_callback(opened.end)
        yield opened


async def test_two_workers_share_the_jobs_and_do_each_once(shop: Shop) -> None:
    await shop.start("worker")
    await shop.start("worker")
    await shop.start("queue", "0", str(JOBS))
    await shop.all_done(JOBS)

    assert await shop.count(Attempt) == JOBS


async def test_an_api_that_is_killed_between_commit_and_relay_has_lost_nothing(shop: Shop) -> None:
    await shop.start("worker")
    rounds, each = 3, JOBS // 3
    for number in range(rounds):
        process = await shop.start("die", str(number * each), str(each))
        assert await process.wait() == -signal.SIGKILL
    await shop.all_done(rounds * each)


async def test_a_worker_that_is_killed_in_mid_job_has_lost_nothing(shop: Shop) -> None:
    await shop.start("queue", "0", str(JOBS))
    for part in (1, 2, 3):
        process = await shop.start("worker")
        await shop.paid(JOBS * part // 4)
        process.kill()
        await process.wait()
    await shop.start("worker")
    await shop.all_done(JOBS)

    assert await shop.count(Attempt) > JOBS


async def test_while_redis_is_away_nothing_is_lost(shop: Shop) -> None:
    await shop.start("worker")
    queueing = await shop.start("queue", "0", str(JOBS))
    await shop.paid(JOBS // 10)
    await shop.redis.stop()
    await asyncio.sleep(REDIS_AWAY)
    await shop.redis.start()
    assert await queueing.wait() == 0
    await shop.all_done(JOBS)


async def test_a_worker_that_is_asked_to_stop_leaves_nothing_half_done(shop: Shop) -> None:
    await shop.start("queue", "0", str(JOBS))
    process = await shop.start("worker")
    await shop.paid(JOBS // 2)
    process.terminate()
    assert await process.wait() == 0
    assert await shop.count(Attempt) == await shop.count(Order)
    await shop.start("worker")
    await shop.all_done(JOBS)

    assert await shop.count(Attempt) == JOBS
