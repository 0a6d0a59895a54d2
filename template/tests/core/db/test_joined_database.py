"""Transactions inside another transaction are committed with it or not at all."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.db.database import Database, after_commit
from app.core.inbox.models import InboxEvent
from app.core.lifecycle import create_runtime
from app.core.manifest import Module, Subscriber
from app.core.module import module as core
from app.core.ports.events import Event
from app.core.runtime import Runtime


class Wanted(Event):
    """A row is wanted."""

    key: str
    twice: bool = False


class Log(list[str]):
    """The actions after commits."""


async def write(runtime: Runtime, wanted: Wanted) -> None:
    """Write the row in a transaction of its own. The second time it is a duplicate."""
    for _ in range(2 if wanted.twice else 1):
        try:
            async with runtime.database.transaction() as session:
                session.add(InboxEvent(provider="test", event_id=wanted.key, payload={}, handler="none"))
                after_commit(session, lambda: runtime.resource(Log).append(wanted.key))
        except IntegrityError:
            runtime.resource(Log).append("there already")


async def read(runtime: Runtime, wanted: Wanted) -> None:
    """See the rows of the previous subscriber."""
    async with runtime.database.reading() as session:
        found = await rows(session, wanted.key)
    runtime.resource(Log).append(f"saw {found}")


async def rows(session: AsyncSession, key: str) -> int:
    statement = select(func.count()).select_from(InboxEvent).where(col(InboxEvent.event_id) == key)
    return (await session.execute(statement)).scalar_one()


@pytest.fixture
def runtime(database: Database) -> Runtime:
    listening = Module(name="writing", subscribers=(Subscriber(Wanted, write), Subscriber(Wanted, read)))
    made = create_runtime((core, listening), database=database)
    made.provide(Log, Log())
    return made


async def found(runtime: Runtime, key: str) -> int:
    async with runtime.database.reading() as session:
        return await rows(session, key)


async def apply_and_fail(runtime: Runtime, wanted: Wanted) -> None:
    async with runtime.database.transaction() as session:
        await runtime.events.apply(session, wanted)
        raise LookupError


class TestApply:
    async def test_writes_of_subscribers_are_committed_with_the_transaction(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await runtime.events.apply(session, Wanted(key="a"))
            assert runtime.resource(Log) == ["saw 1"]

        assert runtime.resource(Log) == ["saw 1", "a"]
        assert await found(runtime, "a") == 1

    async def test_writes_of_subscribers_are_rolled_back_with_the_transaction(self, runtime: Runtime) -> None:
        with pytest.raises(LookupError):
            await apply_and_fail(runtime, Wanted(key="a"))

        assert runtime.resource(Log) == ["saw 1"]
        assert await found(runtime, "a") == 0

    async def test_a_nested_transaction_of_a_subscriber_can_fail_alone(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await runtime.events.apply(session, Wanted(key="a", twice=True))

        assert runtime.resource(Log) == ["there already", "saw 1", "a"]
        assert await found(runtime, "a") == 1
