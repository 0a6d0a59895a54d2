"""A PostgreSQL that freezes, closes connections or keeps others waiting."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config.settings import Settings
from app.core.db import engine
from app.core.db.availability import DatabaseBusyError
from app.core.db.database import Database, create_database
from app.core.db.engine import DatabaseUnavailableError
from app.dev.servers.postgres import private_postgres
from tests.processes import resume, suspend

SHORT = {
    "DB_POOL_SIZE": 5,
    "DB_CONNECT_TIMEOUT": 1.0,
    "DB_STATEMENT_TIMEOUT": 1.0,
    "DB_LOCK_TIMEOUT": 0.9,
    "DB_IDLE_IN_TRANSACTION_TIMEOUT": 0.5,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL that others don't use, so that it can be frozen."""
    with private_postgres(tmp_path_factory.mktemp("frozen") / "postgres", durable=False) as opened:
        yield opened.url()


@pytest.fixture
async def database(server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database with a pool and short deadlines."""
    monkeypatch.setattr(engine, "PING_TIMEOUT", 0.3)
    monkeypatch.setattr(engine, "CLIENT_MARGIN", 0.3)
    opened = create_database(settings.with_database(server).model_copy(update=SHORT))
    yield opened
    await opened.dispose()


async def ask(database: Database, statement: str = "SELECT 1") -> object:
    async with database.reading() as session:
        return await session.scalar(text(statement))


async def pids(database: Database) -> list[int]:
    async with database.reading() as session:
        return list(await session.scalars(text("SELECT pid FROM pg_stat_activity")))


@contextmanager
def frozen(processes: list[int]) -> Iterator[None]:
    """Stop the server: its postmaster and everything that it has started."""
    parent = int(Path(f"/proc/{processes[0]}/stat").read_text().rpartition(")")[2].split()[1])
    every = [parent, *processes]
    send(every, suspend)
    try:
        yield
    finally:
        send(every, resume)


def send(processes: list[int], signal_process: Callable[[int], None]) -> None:
    for process in processes:
        # The server's own workers come and go.
        with suppress(ProcessLookupError):
            signal_process(process)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


class TestFrozen:
    async def test_server_costs_a_request_its_deadline(self, database: Database) -> None:
        with frozen(await pids(database)), within(6):
            for _ in range(2):
                with pytest.raises(DatabaseUnavailableError):
                    await ask(database)
            with pytest.raises(DatabaseUnavailableError):
                async with database.transaction() as session:
                    await session.execute(text("SELECT 1"))
        assert await ask(database) == 1

    async def test_server_costs_a_running_transaction_its_deadline(self, database: Database) -> None:
        processes = await pids(database)

        async def freeze_and_ask() -> None:
            async with database.transaction() as session:
                processes.append(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
                with frozen(processes):
                    await session.execute(text("SELECT 2"))

        with pytest.raises(DatabaseUnavailableError), within(6):
            await freeze_and_ask()
        assert await ask(database) == 1

    async def test_server_does_not_keep_the_process_from_ending(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.core.db.database.DISPOSE_TIMEOUT", 1.0)
        await asyncio.gather(*(ask(database, "SELECT pg_sleep(0.1)") for _ in range(5)))
        with frozen(await pids(database)), within(3):
            await database.dispose()


class TestClosedConnection:
    @pytest.fixture(autouse=True)
    async def closed(self, database: Database) -> None:
        """The server has closed every connection of the pool."""
        await asyncio.gather(*(ask(database, "SELECT pg_sleep(0.1)") for _ in range(5)))
        other = create_async_engine(database.engine.url)
        async with other.connect() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        await other.dispose()

    async def test_does_not_fail_a_transaction(self, database: Database) -> None:
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1

    async def test_does_not_fail_concurrent_reads(self, database: Database) -> None:
        assert await asyncio.gather(*(ask(database) for _ in range(5))) == [1] * 5
        assert (await database.fetch(text("SELECT 1"), {}))[0][0] == 1

    async def test_is_noticed_by_a_ping_after_a_long_time(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ask(database)
        before = await ask(database, "SELECT pg_backend_pid()")
        assert await ask(database, "SELECT pg_backend_pid()") == before
        monkeypatch.setattr(engine, "IDLE_BEFORE_PING", -1.0)
        assert await ask(database, "SELECT pg_backend_pid()") == before
        assert isinstance(before, int)
        # Only the connection's process, so that another one can be opened.
        suspend(before)
        with within(4):
            assert await ask(database, "SELECT pg_backend_pid()") != before
        resume(before)

    async def test_is_replaced_when_a_read_fails_on_it(self, database: Database) -> None:
        # The server ends the connection of the statement itself: the second time it is another one.
        statement = "SELECT CASE WHEN pg_terminate_backend(pid) THEN 1 END FROM pg_stat_activity WHERE pid = {}"
        victim = await ask(database, "SELECT pg_backend_pid()")
        await ask(database, statement.format(victim))
        first = await database.fetch(text(statement.format(await ask(database, "SELECT pg_backend_pid()"))), {})
        assert first == []


class TestDeadlines:
    async def test_of_a_statement(self, database: Database) -> None:
        with pytest.raises(DatabaseBusyError), within(3):
            await ask(database, "SELECT pg_sleep(30)")

    async def test_of_an_idle_transaction(self, database: Database) -> None:
        async def do_nothing() -> None:
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))
                while await ask(database, "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"):
                    pass
                await session.execute(text("SELECT 1"))

        with pytest.raises(DatabaseUnavailableError):
            await do_nothing()

    async def test_of_a_lock_leave_connections_for_reading(self, database: Database) -> None:
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, value INTEGER)"))
            await session.execute(text("INSERT INTO counter VALUES (1, 0) ON CONFLICT DO NOTHING"))
        update = text("UPDATE counter SET value = value + 1 WHERE id = 1")

        async def wait() -> None:
            async with database.transaction() as session:
                await session.execute(update)

        async with database.transaction() as holder:
            await holder.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await holder.execute(update)
            waiting = [asyncio.create_task(wait()) for _ in range(10)]
            # The pool has five connections: this one, three that wait, and one for reading.
            locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            async with asyncio.timeout(0.85):
                while await ask(database, locked) != 3:
                    pass
                # A connection that was given back does not go to those that still wait for their turn.
                assert [await ask(database) for _ in range(3)] == [1] * 3
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {DatabaseBusyError, DatabaseUnavailableError}
        await wait()


class TestMistakes:
    async def test_of_a_statement_keep_their_error(self, database: Database) -> None:
        with pytest.raises(DBAPIError):
            await ask(database, "SELECT nonsense")
