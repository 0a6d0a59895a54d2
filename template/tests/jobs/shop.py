"""A module whose jobs leave traces in tables, and the processes that queue and run them.

python -m tests.jobs.shop worker [OPTIONS]        as `app worker` does
python -m tests.jobs.shop queue FIRST COUNT       as an API does, each job in a request's transaction
python -m tests.jobs.shop die FIRST COUNT         the same in one transaction, killed between commit and relay
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from uuid import UUID

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from app.core.commands import CommandLine
from app.core.database import Database, insert_if_absent
from app.core.logging import configure_logging
from app.core.module import Module
from app.core.runtime import Runtime, create_runtime, jobs_of, running
from app.jobs.commands import worker
from app.jobs.module import module as jobs
from app.jobs.module import open_server
from app.jobs.outbox import Outbox
from app.jobs.server import NoServer, Server
from app.jobs.settings import JobsSettings
from app.modules import MODULES

ROLLED_BACK = 10
"""Every so many requests one fails after it has queued a job."""

tables = MetaData()


class Order(SQLModel, table=True):
    """An order that is paid: whoever writes this row may do what is to be done once."""

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
    """Pays an order, however often it is run."""
    async with runtime.database.transaction() as session:
        session.add(Attempt(number=number))
    await asyncio.sleep(seconds)
    async with runtime.database.transaction() as session:
        if await insert_if_absent(session, Order, {"number": number}, unique=("number",)):
            session.add(Payment(number=number))


shop = Module(name="shop", jobs=(pay,))


async def make_tables(database: Database) -> None:
    """Makes the shop's tables."""
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.create_all)


class Deadly(NoServer):
    """Is the end of whoever hands jobs over."""

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Server.send`."""
        assert ids
        os.kill(os.getpid(), signal.SIGKILL)


@asynccontextmanager
async def _api(runtime: Runtime) -> AsyncIterator[None]:
    """The module's lifespan in a process that does not work itself, as outside local."""
    async with open_server(runtime) as opened:
        server: Server = Deadly() if sys.argv[1] == "die" else opened
        times = runtime.resource(JobsSettings).times
        runtime.queue = Outbox(runtime, jobs_of(runtime.modules), server=server, times=times)
        yield


class RequestFailedError(Exception):
    """A request has to be rolled back."""


async def _request(runtime: Runtime, numbers: Sequence[int], *, fails: bool) -> None:
    async with runtime.database.transaction() as session:
        for number in numbers:
            await runtime.queue.enqueue(session, pay, number, float(os.environ["SHOP_SECONDS"]))
        if fails:
            raise RequestFailedError


async def _queue(numbers: range) -> None:
    modules = [replace(module, lifespan=_api) if module is jobs else module for module in MODULES]
    runtime = create_runtime([*modules, shop])
    configure_logging(runtime.settings)
    async with running(runtime):
        if sys.argv[1] == "die":
            await _request(runtime, numbers, fails=False)
            await asyncio.Event().wait()
        for number in numbers:
            if number % ROLLED_BACK == 0:
                with suppress(RequestFailedError):
                    await _request(runtime, [-number], fails=True)
            await _request(runtime, [number], fails=False)


def main(arguments: Sequence[str]) -> None:
    """Queues or works."""
    if arguments[0] == "worker":
        worker(arguments[1:], obj=CommandLine(modules=(*MODULES, shop), database=nullcontext))
    first, count = int(arguments[1]), int(arguments[2])
    asyncio.run(_queue(range(first, first + count)))


if __name__ == "__main__":
    main(sys.argv[1:])
