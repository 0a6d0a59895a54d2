"""A module whose webhook sells things: what the tests of the inbox handle, here and in processes of their own.

python -m tests.core.inbox.shop receive-and-die | die-while-handling | work
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from app.core.db.models import utc_now
from app.core.inbox.models import InboxEvent
from app.core.inbox.service import process_inbox_event, receive
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.module import module as core
from app.core.ports.queue import Json
from app.core.runtime import Runtime
from tests.core.things import Thing
from tests.processes import kill_this_process

OWNER = uuid7()


class Shop:
    """The behaviour of the handler."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.dies = False
        self.hangs = False
        self.sells_twice = False
        self.begun = asyncio.Event()
        self.handled = asyncio.Event()


async def sell(runtime: Runtime, session: AsyncSession, payload: dict[str, Json]) -> None:
    """Create a thing with the event's name."""
    shop = runtime.resource(Shop)
    shop.begun.set()
    session.add(Thing(owner_id=OWNER, name=str(payload["name"])))
    if shop.sells_twice:
        session.add_all([Thing(owner_id=OWNER, name="twin", code=1), Thing(owner_id=OWNER, name="twin", code=1)])
    await session.flush()
    if shop.error is not None:
        raise shop.error
    if shop.dies:
        kill_this_process()
    if shop.hangs:
        await asyncio.Event().wait()
    shop.handled.set()


MODULES = (
    core,
    Module(name="shop", inbox_handlers=(sell,)),
)


type OpenShop = Callable[[Database], Runtime]


def shop_in_process(database: Database) -> Runtime:
    """A runtime with the shop, whose jobs wait for `drain`."""
    made = create_runtime(MODULES, database=database)
    made.provide(Shop, Shop())
    assert isinstance(made.queue, InProcessQueue)
    made.queue.eager = False
    return made


async def make_tables(runtime: Runtime) -> None:
    """Create the table of things, which has no migration."""
    async with runtime.database.transaction() as session:
        await (await session.connection()).run_sync(Thing.metadata.create_all)


async def tell(runtime: Runtime, event_id: str = "1", name: str = "cup") -> bool:
    """Receive an event, as the route of a webhook does."""
    return await receive(runtime, provider="shop", event_id=event_id, payload={"name": name}, handler=sell)


async def handle(runtime: Runtime) -> None:
    """Make one attempt at every event, whether it is due or not."""
    await let_come_due(runtime)
    for event in await events(runtime):
        await process_inbox_event(runtime, str(event.id))


async def let_come_due(runtime: Runtime) -> None:
    """Make all events due, and all leases expired."""
    past = utc_now() - timedelta(seconds=1)
    async with runtime.database.transaction() as session:
        await session.execute(update(InboxEvent).values(next_attempt_at=past))


async def events(runtime: Runtime) -> Sequence[InboxEvent]:
    """All that the inbox has, the oldest first."""
    async with runtime.database.reading() as session:
        return (await session.scalars(select(InboxEvent).order_by(col(InboxEvent.id)))).all()


async def only_event(runtime: Runtime) -> InboxEvent:
    """The one event that the inbox has."""
    (event,) = await events(runtime)
    return event


async def sold(runtime: Runtime) -> list[str]:
    """The effects: what has been sold."""
    async with runtime.database.reading() as session:
        return list(await session.scalars(select(col(Thing.name)).order_by(col(Thing.name))))


async def main(what: str) -> None:
    """Run the work of one process."""
    runtime = shop_in_process(create_database(Settings()))
    shop = runtime.resource(Shop)
    if what == "work":
        async with running(runtime):
            await shop.handled.wait()
        return
    shop.dies = what == "die-while-handling"
    async with running(runtime, background=False):
        await tell(runtime)
        if shop.dies:
            await runtime.queue.drain()
        kill_this_process()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
