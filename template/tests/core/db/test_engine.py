"""Connections to the databases, and the errors without one."""

from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from app.core.db.engine import DatabaseUnavailableError
from app.core.runtime import Runtime
from tests.databases import Databases


@pytest.fixture
def live(live_runtime: Runtime) -> Database:
    """A database with a pool and real commits."""
    return live_runtime.database


class TestUnavailable:
    async def test_when_no_server_listens(self, settings: Settings, unused_tcp_port: int) -> None:
        database = create_database(settings.with_database(f"postgresql://me@127.0.0.1:{unused_tcp_port}/none"))
        for session in (database.reading(), database.transaction()):
            with pytest.raises(DatabaseUnavailableError):
                await ask(session)
        with pytest.raises(DatabaseUnavailableError):
            await database.fetch(text("SELECT 1"), {})

    async def test_when_all_connections_are_busy(self, live: Database, settings: Settings) -> None:
        if live.engine.dialect.name != "postgresql":
            return
        url = live.engine.url.render_as_string(hide_password=False)
        database = create_database(
            settings.with_database(url).model_copy(update={"DB_POOL_SIZE": 1, "DB_CONNECT_TIMEOUT": 1.0})
        )
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
            with pytest.raises(DatabaseUnavailableError):
                await ask(database.reading())
        await ask(database.reading())
        await database.dispose()

    async def test_when_the_connection_breaks_and_available_again_at_the_next(self, live: Database) -> None:
        if live.engine.dialect.name != "postgresql":
            return
        with pytest.raises(DatabaseUnavailableError):
            await ask(live.transaction(), "SELECT pg_terminate_backend(pg_backend_pid())")
        await ask(live.transaction())

    async def test_is_not_caused_by_a_wrong_statement(self, live: Database) -> None:
        with pytest.raises(DBAPIError):
            await ask(live.reading(), "SELECT nonsense")


async def ask(opening: AbstractAsyncContextManager[AsyncSession], statement: str = "SELECT 1") -> None:
    """Send a statement."""
    async with opening as session:
        await session.execute(text(statement))


class TestBehindAPooler:
    @pytest.mark.parametrize("setting", ["DB_USE_NULL_POOL", "DB_TRANSACTION_POOLER"])
    async def test_no_prepared_statement_is_kept(self, live: Database, settings: Settings, setting: str) -> None:
        if live.engine.dialect.name != "postgresql":
            return
        url = live.engine.url.render_as_string(hide_password=False)
        database = create_database(settings.with_database(url).model_copy(update={setting: True}))
        async with database.transaction() as session:
            for _ in range(3):
                await session.execute(text("SELECT 1"))
            prepared = await session.scalars(text("SELECT name FROM pg_prepared_statements"))
            assert prepared.all() == []
        await database.dispose()


class TestSqlite:
    async def test_keeps_foreign_keys_and_undoes_tables(self, settings: Settings, databases: Databases) -> None:
        async with databases.empty() as url:
            if not url.startswith("sqlite"):
                return
            database = create_database(settings.with_database(url))
            with pytest.raises(LookupError):
                await make_table_and_fail(database)
            async with database.reading() as session:
                assert await session.scalar(text("SELECT count(*) FROM sqlite_master")) == 0
                assert await session.scalar(text("PRAGMA foreign_keys")) == 1
            await database.dispose()


async def make_table_and_fail(database: Database) -> None:
    """Create a table in a transaction that is rolled back."""
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE a (id INTEGER PRIMARY KEY)"))
        raise LookupError
