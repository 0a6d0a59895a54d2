"""Transactions, reading sessions, and what happens after the commit."""

import asyncio

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.config.settings import ConfigurationError, Settings
from app.core.db.database import (
    AfterCommit,
    Database,
    after_commit,
    create_database,
    insert_if_absent,
    is_unique_violation,
)
from app.core.inbox.models import InboxEvent
from app.core.runtime import Runtime


@pytest.fixture
def live(live_runtime: Runtime) -> Database:
    """A database with a pool and real commits."""
    return live_runtime.database


def event(name: str = "one") -> InboxEvent:
    """Return a new row."""
    return InboxEvent(provider="shop", event_id=name, payload={}, handler="shop.handle")


async def names(database: Database) -> list[str]:
    """Return the stored rows."""
    async with database.reading() as session:
        return list(await session.scalars(select(col(InboxEvent.event_id)).order_by(col(InboxEvent.event_id))))


async def write(database: Database, *rows: InboxEvent, action: AfterCommit | None = None, fail: bool = False) -> None:
    """Write the rows in one transaction, which may fail at its end."""
    async with database.transaction() as session:
        session.add_all(rows)
        if action is not None:
            after_commit(session, action)
        if fail:
            await session.flush()
            raise LookupError


class TestTransaction:
    async def test_is_committed_at_the_end_of_the_block(self, live: Database) -> None:
        await write(live, event())
        assert await names(live) == ["one"]

    async def test_is_rolled_back_when_the_block_raises(self, live: Database) -> None:
        with pytest.raises(LookupError):
            await write(live, event(), fail=True)
        assert await names(live) == []

    async def test_returns_its_connection_even_if_the_commit_fails(self, live: Database) -> None:
        for _ in range(12):
            with pytest.raises(IntegrityError):
                await write(live, event("same"), event("same"))
        assert await names(live) == []

    async def test_a_hundred_concurrent_ones_share_the_pool(self, live: Database) -> None:
        async def add(number: int) -> None:
            async with live.transaction() as session:
                # Reads before it writes: where another one writes meanwhile, this must wait and not fail.
                await session.scalar(select(func.count()).select_from(InboxEvent))
                session.add(event(f"{number:03}"))

        await asyncio.gather(*(add(number) for number in range(100)))
        assert len(await names(live)) == 100


class TestAfterCommit:
    async def test_actions_run_once_the_rows_are_visible_to_others(self, live: Database) -> None:
        seen: list[asyncio.Task[list[str]]] = []
        async with live.transaction() as session:
            session.add(event())
            after_commit(session, lambda: seen.append(asyncio.create_task(names(live))))
            assert not seen
        assert await seen[0] == ["one"]

    async def test_actions_are_dropped_on_rollback(self, live: Database) -> None:
        ran: list[int] = []
        with pytest.raises(LookupError):
            await write(live, action=lambda: ran.append(1), fail=True)
        assert ran == []

    async def test_actions_are_dropped_when_the_commit_fails(self, live: Database) -> None:
        ran: list[int] = []
        with pytest.raises(IntegrityError):
            await write(live, event("same"), event("same"), action=lambda: ran.append(1))
        assert ran == []

    async def test_a_failing_action_does_not_stop_the_others_or_the_caller(self, live: Database) -> None:
        ran: list[int] = []

        def fail() -> None:
            raise LookupError

        async with live.transaction() as session:
            session.add(event())
            after_commit(session, fail)
            after_commit(session, lambda: ran.append(1))
        assert ran == [1]
        assert await names(live) == ["one"]

    async def test_a_reading_session_has_no_commit_to_wait_for(self, live: Database) -> None:
        async with live.reading() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                after_commit(session, lambda: None)


class TestCancellation:
    async def test_before_the_commit_rolls_back(self, live: Database) -> None:
        started = asyncio.Event()

        async def work() -> None:
            async with live.transaction() as session:
                session.add(event())
                await session.flush()
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await names(live) == []

    async def test_during_the_commit_still_runs_the_actions(self, live: Database) -> None:
        ran: list[int] = []

        async def work() -> None:
            async with live.transaction() as session:
                session.add(event())
                await session.flush()
                after_commit(session, lambda: ran.append(1))
                # Takes effect at the next wait, which is for the commit.
                current = asyncio.current_task()
                assert current is not None
                current.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(work())
        assert ran == [1]
        assert await names(live) == ["one"]


class TestReading:
    async def test_sees_concurrent_commits(self, live: Database) -> None:
        async with live.reading() as session:
            count = select(func.count()).select_from(InboxEvent)
            assert await session.scalar(count) == 0
            async with live.transaction() as writing:
                writing.add(event())
            assert await session.scalar(count) == 1

    @pytest.mark.parametrize("change", ["add", "alter", "remove"])
    async def test_refuses_to_lose_a_change(self, live: Database, change: str) -> None:
        await write(live, event())
        with pytest.raises(RuntimeError, match="keeps no changes"):
            await change_while_reading(live, change)
        assert await names(live) == ["one"]

    async def test_sends_only_its_statement(self, live: Database) -> None:
        if live.engine.dialect.name != "postgresql":
            return
        sent: list[str] = []
        async with live.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            driver.add_query_logger(lambda record: sent.append(record.query))

        # The driver logs neither what it has prepared nor a ROLLBACK of the pool that is not needed.
        async with live.reading() as session:
            await session.scalar(text("SELECT 1"))
            assert not driver.is_in_transaction()
        assert sent == []
        async with live.transaction() as session:
            await session.scalar(text("SELECT 1"))
            assert driver.is_in_transaction()
        assert [query.partition(" ")[0].rstrip(";") for query in sent] == ["BEGIN", "COMMIT"]

    async def test_does_not_affect_transactions(self, live: Database) -> None:
        async with live.reading() as session:
            await session.scalar(text("SELECT 1"))
        with pytest.raises(LookupError):
            await write(live, event(), fail=True)
        assert await names(live) == []


async def change_while_reading(database: Database, change: str) -> None:
    """Change a row in a session that cannot store the change."""
    async with database.reading() as session:
        found = (await session.scalars(select(InboxEvent))).one()
        if change == "add":
            session.add(event("two"))
        elif change == "alter":
            found.event_id = "changed"
        else:
            await session.delete(found)


class TestInsertIfAbsent:
    async def test_returns_whether_the_row_is_new(self, live: Database) -> None:
        assert await insert(live, "one") is True
        assert await insert(live, "one") is False
        assert await names(live) == ["one"]

    async def test_of_fifty_concurrent_inserts_one_is_new(self, live: Database) -> None:
        assert sum(await asyncio.gather(*(insert(live, "one") for _ in range(50)))) == 1
        assert await names(live) == ["one"]

    async def test_another_violation_is_an_error(self, live: Database) -> None:
        with pytest.raises(IntegrityError) as caught:
            await insert(live, "one", attempts=None)
        assert not is_unique_violation(caught.value)


async def insert(database: Database, name: str, **values: object) -> bool:
    """Try to insert the row."""
    row: dict[str, object] = {"id": uuid7(), "provider": "shop", "event_id": name, "payload": {}, "handler": "shop.x"}
    async with database.transaction() as session:
        return await insert_if_absent(session, InboxEvent, row | values, unique=("provider", "event_id"))


class TestWithoutUrl:
    async def test_only_database_access_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL")
        database = create_database(Settings())
        with pytest.raises(ConfigurationError, match="app dev"):
            database.require()
        for session in (database.transaction(), database.reading()):
            with pytest.raises(ConfigurationError, match="app dev"):
                async with session:
                    pass
        await database.dispose()
