"""A module whose jobs leave traces in tables, and what processes do that queue and run them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from uuid import UUID

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from app.core.commands import CommandLine
from app.core.db.database import Database, insert_if_absent
from app.core.lifecycle import create_runtime, jobs_of, running
from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime
from app.jobs.broker import InProcessBroker
from app.jobs.commands import worker
from app.jobs.module import module as jobs
from app.jobs.module import open_broker
from app.jobs.outbox import Outbox
from app.jobs.settings import JobsSettings
from app.modules import MODULES
from tests.processes import kill_this_process

NO_CLOCK = tuple(replace(module, crons=()) for module in MODULES)
"""All modules, without the jobs that come by the clock: tests that count jobs may run at any minute."""
ROLLED_BACK = 10
"""Every so many requests one fails after it has queued a job."""

tables = MetaData()


class Order(SQLModel, table=True):
    """A paid order. The row is unique, so that only one process ships the order."""

    metadata = tables
    __tablename__ = "shop_orders"

    number: int = Field(primary_key=True)


class Payment(SQLModel, table=True):
    """A payment, of which an order must have one; nothing in the table sees to that."""

    metadata = tables
    __tablename__ = "shop_payments"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    number: int


class Attempt(SQLModel, table=True):
    """A job's run, finished or not."""

    metadata = tables
    __tablename__ = "shop_attempts"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    number: int


async def pay(runtime: Runtime, number: int, seconds: float) -> None:
    """Pay an order. It can run several times."""
    async with runtime.database.transaction() as session:
        session.add(Attempt(number=number))
    await asyncio.sleep(seconds)
    async with runtime.database.transaction() as session:
        if await insert_if_absent(session, Order, {"number": number}, unique=("number",)):
            session.add(Payment(number=number))


shop = Module(name="shop", jobs=(pay,))


async def make_tables(database: Database) -> None:
    """Create the shop's tables."""
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.create_all)


class Deadly(InProcessBroker):
    """A broker whose sender is killed."""

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Broker.send`."""
        assert ids
        kill_this_process()


@asynccontextmanager
async def _dying(runtime: Runtime) -> AsyncIterator[None]:
    """The module's lifespan in a process that is killed between a commit and what follows it."""
    timing = runtime.resource(JobsSettings).timing
    runtime.queue = Outbox(runtime, jobs_of(modules_of(runtime)), broker=Deadly(), timing=timing)
    yield


@asynccontextmanager
async def _queueing(runtime: Runtime) -> AsyncIterator[None]:
    """The module's lifespan in a process that does not work itself, as outside local."""
    async with open_broker(runtime) as broker:
        timing = runtime.resource(JobsSettings).timing
        runtime.queue = Outbox(runtime, jobs_of(modules_of(runtime)), broker=broker, timing=timing)
        yield


class RequestFailedError(Exception):
    """A request must be rolled back."""


async def _request(runtime: Runtime, numbers: Sequence[int], seconds: float, *, fails: bool = False) -> None:
    async with runtime.database.transaction() as session:
        for number in numbers:
            await runtime.queue.enqueue(session, pay, number, seconds)
        if fails:
            raise RequestFailedError


@asynccontextmanager
async def _process(lifespan: Callable[[Runtime], AbstractAsyncContextManager[None]]) -> AsyncIterator[Runtime]:
    modules = [replace(module, lifespan=lifespan) if module.name == jobs.name else module for module in NO_CLOCK]
    async with running(create_runtime([*modules, shop])) as runtime:
        yield runtime


async def queue_and_die(numbers: Sequence[int], seconds: float) -> None:
    """Queue jobs in one transaction, in a process that is killed between the commit and the relay."""
    async with _process(_dying) as runtime:
        await _request(runtime, numbers, seconds)
        await asyncio.Event().wait()


async def queue(numbers: Sequence[int], seconds: float) -> None:
    """Queue jobs as an API does, each in the transaction of a request; some requests fail."""
    async with _process(_queueing) as runtime:
        for number in numbers:
            if number % ROLLED_BACK == 0:
                with suppress(RequestFailedError):
                    await _request(runtime, [-number], seconds, fails=True)
            await _request(runtime, [number], seconds)


def work(*options: str) -> None:
    """The command `app worker`."""
    worker(options, obj=CommandLine(modules=(*NO_CLOCK, shop), database=nullcontext))


def run(environment: Mapping[str, str], function: Callable[..., object], *args: object) -> None:
    """Run the work of a process, without output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.environ.clear()
    os.environ.update(environment)
    outcome = function(*args)
    if isinstance(outcome, Coroutine):
        asyncio.run(outcome)
