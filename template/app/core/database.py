"""The database: one engine a process, one transaction a request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection, Engine, Executable, Row, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.util import greenlet_spawn
from sqlmodel import SQLModel

from app.core.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

logger = structlog.stdlib.get_logger(__name__)

AfterCommit = Callable[[], None]
_AFTER_COMMIT = "after_commit"
_READ_ONLY = "read_only"
CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, from the server or from the pool, before the request is answered with an error."""


def after_commit(session: AsyncSession, action: AfterCommit) -> None:
    """Runs `action` once the session's transaction has been committed, never if it is rolled back.

    Raises:
        RuntimeError: the session only reads, so that nothing will ever be committed.
    """
    if session.info.get(_READ_ONLY):
        raise RuntimeError("This session only reads and commits nothing: use Database.transaction().")
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


class Database:
    """Hands out sessions on an engine.

    Args:
        engine: `None` where no database is configured: then all works but what needs one.
    """

    def __init__(self, engine: AsyncEngine | None) -> None:
        self._engine = engine
        # A read is one statement; a BEGIN and a ROLLBACK around it would triple the round trips.
        self._reading_engine = engine and engine.execution_options(**_reading_options(engine))

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes.

        Raises:
            ConfigurationError: no database is configured.
        """
        return _configured(self._engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end of the block, or rolled back if the block raises."""
        async with self.new_session(reading=False) as session:
            yield session
            await _to_the_end(_commit(session))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading, without a transaction: each statement sees what is committed when it starts.

        Raises:
            RuntimeError: at the end of the block, when something was changed that will not be kept.
        """
        async with self.new_session(reading=True) as session:
            yield session
            if session.new or session.dirty or session.deleted:
                raise RuntimeError("A reading session keeps no changes: use Database.transaction().")

    async def fetch(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows of one statement that only reads. Takes half the time of a session: for what every request asks."""
        engine = _configured(self._reading_engine)
        # One switch into the driver's world instead of one to connect, one to execute and one to close.
        return await greenlet_spawn(_fetch, engine.sync_engine, statement, parameters)

    def new_session(self, *, reading: bool) -> AsyncSession:
        """A session that nobody has opened yet. `transaction` and `reading` open and close one; use those."""
        if reading:
            bind = _configured(self._reading_engine)
            return AsyncSession(bind, expire_on_commit=False, autoflush=False, info={_READ_ONLY: True})
        return AsyncSession(self.engine, expire_on_commit=False)

    def require(self) -> None:
        """Makes sure that there is a database, without connecting to it.

        Raises:
            ConfigurationError: none is configured.
        """
        _configured(self._engine)

    async def dispose(self) -> None:
        """Closes every connection."""
        if self._engine is not None:
            await self._engine.dispose()


class JoinedDatabase(Database):
    """A database whose transactions are parts of one that is under way: kept when that one is, and undone with it.

    Args:
        outer: the session whose transaction it is; what is to happen after a commit waits for its commit.
        connection: the session's own.
    """

    def __init__(self, outer: AsyncSession, connection: AsyncConnection) -> None:
        super().__init__(None)
        self._outer = outer
        self._connection = connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """See `Database.transaction`: a savepoint, so that whoever expects it to fail may go on."""
        async with self.new_session(reading=False) as session:
            yield session
            await session.commit()
            actions: list[AfterCommit] = session.info.pop(_AFTER_COMMIT, [])
        for action in actions:
            after_commit(self._outer, action)

    async def fetch(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """See `Database.fetch`."""
        return (await self._connection.execute(statement, parameters)).all()

    def new_session(self, *, reading: bool) -> AsyncSession:
        """See `Database.new_session`."""
        info = {_READ_ONLY: True} if reading else {}
        return AsyncSession(
            self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint", info=info
        )


def _configured(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        raise ConfigurationError(["DATABASE_URL is not set; `app dev` starts a private database and sets it"])
    return engine


def _fetch(engine: Engine, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
    with engine.connect() as connection:
        return connection.execute(statement, parameters).all()


async def _commit(session: AsyncSession) -> None:
    await session.commit()
    actions: list[AfterCommit] = session.info.pop(_AFTER_COMMIT, [])
    for action in actions:
        try:
            action()
        except Exception:
            # What was committed stays committed: neither the caller nor the other actions may hear of this one.
            logger.exception("after_commit_action_failed")


async def _to_the_end(work: Coroutine[object, object, None]) -> None:
    """Finishes the work even if the caller is cancelled meanwhile, and cancels the caller only then."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def insert_if_absent(
    session: AsyncSession, model: type[SQLModel], values: Mapping[str, object], *, unique: Sequence[str]
) -> bool:
    """Inserts a row, or does nothing where one with the same `unique` columns is there already, however many try.

    Returns:
        Whether the row is new.
    """
    statement = _insert_on(session)(model).values(**values).on_conflict_do_nothing(index_elements=unique)
    result = await (await session.connection()).execute(statement)
    return result.rowcount == 1


def _insert_on(session: AsyncSession) -> "Callable[[type[SQLModel]], postgresql.Insert | sqlite.Insert]":
    # The dialects are a tenth of the time that the application takes to import, and one of them is never needed.
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert


def is_unique_violation(error: IntegrityError) -> bool:
    """Whether a value that has to be unique was taken, on either database."""
    codes = (getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorname", None))
    return any(code in codes for code in ("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"))


def create_database(settings: Settings) -> Database:
    """Makes the engine that the settings describe; connects to nothing yet."""
    url = settings.DATABASE_URL
    if url is None:
        return Database(None)
    if url.startswith("sqlite"):
        return Database(_sqlite_engine(settings, url))
    return Database(_postgresql_engine(settings, url))


def _postgresql_engine(settings: Settings, url: str) -> AsyncEngine:
    connect_args: dict[str, object] = {"timeout": CONNECT_TIMEOUT}
    if settings.DB_USE_NULL_POOL:
        # Poolers in transaction mode cannot keep prepared statements between transactions.
        connect_args |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return create_async_engine(
            url,
            echo=settings.DEBUG,
            hide_parameters=not settings.is_local,
            poolclass=NullPool,
            connect_args=connect_args,
        )
    return create_async_engine(
        url,
        echo=settings.DEBUG,
        # Their values would end up in the log with the error that they caused.
        hide_parameters=not settings.is_local,
        connect_args=connect_args,
        pool_size=settings.DB_POOL_SIZE,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        pool_recycle=settings.DB_POOL_RECYCLE,
        pool_use_lifo=True,
    )


def _reading_options(engine: AsyncEngine) -> dict[str, object]:
    # SQLite's driver is in autocommit as it is (see below) and begins only where it is not told otherwise.
    return {_READ_ONLY: True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}


def _sqlite_engine(settings: Settings, url: str) -> AsyncEngine:
    engine = create_async_engine(url, echo=settings.DEBUG, hide_parameters=not settings.is_local)
    listen_for_sqlite(engine.sync_engine)
    return engine


def listen_for_sqlite(engine: Engine) -> None:
    """Makes SQLite keep foreign keys and begin transactions when it is told to, which its driver does not."""

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver's own idea of when to begin leaves savepoints and DDL outside of transactions.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_READ_ONLY):
            # A transaction that reads first and writes later would fail, without waiting, if another wrote meanwhile.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
