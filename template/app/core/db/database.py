"""The database: one engine a process, one transaction a request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Engine, Executable, Row, TextClause
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import greenlet_spawn
from sqlmodel import SQLModel

from app.core.config.settings import ConfigurationError, Settings
from app.core.db.availability import availability
from app.core.db.bulk_changes import ON_BULK_CHANGE, BulkListener
from app.core.db.commit_writers import run_writers
from app.core.db.engine import NO_TRANSACTION, DatabaseUnavailableError, postgresql_engine, sqlite_engine
from app.core.db.execution import fetch_again, fetch_once, finish
from app.core.db.query_statistics import count_statements
from app.core.db.reading_session import ReadingSession
from app.core.db.replica import Replica

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

logger = structlog.stdlib.get_logger(__name__)

AfterCommit = Callable[[], None]
_AFTER_COMMIT: Final = "after_commit"
READ_ONLY: Final = "read_only"
"""The key under which a session's `info` says that it only reads."""
DISPOSE_TIMEOUT: Final = 5.0
"""Seconds that closing all connections may take. A server that doesn't answer must not keep the process from ending."""
READERS_SHARE: Final = 5
"""One of so many connections is kept for reading, so that transactions that wait for a lock don't take all of them."""


def after_commit(session: AsyncSession, action: AfterCommit) -> None:
    """Run `action` once the session's transaction has been committed, and never if it is rolled back.

    Raises:
        RuntimeError: the session only reads, so that nothing will ever be committed.
    """
    if session.info.get(READ_ONLY):
        raise RuntimeError("This session only reads and commits nothing: use Database.transaction().")
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


def take_actions(session: AsyncSession) -> list[AfterCommit]:
    """Remove and return the actions that wait for the session's commit."""
    actions: list[AfterCommit] = session.info.pop(_AFTER_COMMIT, [])
    return actions


class Database:
    """A database: sessions and statements on one engine.

    Args:
        engine: `None` if no database is configured. Then every method that needs one raises an error.
        connections: the size of the pool, if it has one.
        connect_timeout: seconds to wait for a connection.
        replica: a database to read from that may lag behind this one.
    """

    def __init__(
        self,
        engine: AsyncEngine | None,
        *,
        connections: int | None = None,
        connect_timeout: float = 10.0,
        replica: "Database | None" = None,
    ) -> None:
        self._engine = engine
        self._replica = None if replica is None else Replica(replica)
        self.migrated = False
        """Whether the database is known to have every revision of this code."""
        self.on_bulk_change: BulkListener | None = None
        """Called for each statement that writes many rows, in its transaction."""
        self.observe_wait: Callable[[], AbstractContextManager[None]] = nullcontext
        """Called when a transaction has to wait for its turn. Returns a context manager around the wait."""
        # One statement needs no transaction; a BEGIN and a COMMIT around it would triple the round trips.
        self._autocommit_engine = engine and engine.execution_options(**_autocommit_options(engine))
        writers = None if connections is None else max(1, connections - -(-connections // READERS_SHARE))
        self._writers = None if writers is None else asyncio.Semaphore(writers)
        self._connect_timeout = connect_timeout

    @property
    def engine(self) -> AsyncEngine:
        """The engine of transactions.

        Raises:
            ConfigurationError: no database is configured.
        """
        return _configured(self._engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a session whose work is committed at the end of the block, or rolled back if the block raises.

        Raises:
            DatabaseUnavailableError: no connection was free in time, or it broke. The work may or may not be committed.
            DatabaseBusyError: a statement reached its deadline, or waited too long for a lock.
        """
        with availability():
            async with self._turn(), self.new_session(reading=False) as session:
                yield session
                await finish(self._commit(session))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session for reading, without a transaction: each statement sees what is committed when it starts.

        Raises:
            DatabaseUnavailableError: no connection was free in time, or it broke.
            RuntimeError: at the end of the block, if something was changed that will not be kept.
        """
        with availability():
            async with self.new_session(reading=True) as session:
                yield session
                if session.new or session.dirty or session.deleted:
                    raise RuntimeError("A reading session keeps no changes: use Database.transaction().")

    async def replica(self) -> "Database":
        """Return the read replica, whose data may lag behind, or this database if there is none that can be reached.

        Use it for lists and reports that may miss the changes of the last seconds, and never to decide on a change.
        """
        return self if self._replica is None or not await self._replica.answers() else self._replica.database

    async def fetch(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """Return the rows of one statement that only reads. It takes half the time of a session."""
        with availability():
            return await fetch_again(_configured(self._autocommit_engine).sync_engine, statement, parameters)

    async def execute(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """Run one statement that writes, as a transaction of its own, and return its rows once they are committed."""
        with availability():
            # In autocommit, the server commits the statement itself.
            engine = _configured(self._autocommit_engine)
            return await greenlet_spawn(fetch_once, engine.sync_engine, statement, parameters)

    def new_session(self, *, reading: bool) -> AsyncSession:
        """Return a session that has not been opened. `transaction` and `reading` open and close one; use those."""
        if reading:
            return AsyncSession(
                _configured(self._autocommit_engine),
                expire_on_commit=False,
                autoflush=False,
                info={READ_ONLY: True},
                sync_session_class=ReadingSession,
            )
        return AsyncSession(self.engine, expire_on_commit=False, info={ON_BULK_CHANGE: self.on_bulk_change})

    @property
    def has_replica(self) -> bool:
        """Whether a read replica is configured."""
        return self._replica is not None

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """The engines of this database and its replica; none if no database is configured."""
        own = () if self._engine is None else (self._engine,)
        return own if self._replica is None else (*own, *self._replica.database.engines)

    def require(self) -> None:
        """Check that a database is configured, without connecting to it.

        Raises:
            ConfigurationError: none is.
        """
        _configured(self._engine)

    async def dispose(self) -> None:
        """Close every connection. Takes at most DISPOSE_TIMEOUT seconds per server, even if one doesn't answer."""
        for engine in self.engines:
            try:
                async with asyncio.timeout(DISPOSE_TIMEOUT):
                    await engine.dispose()
            except TimeoutError:
                logger.warning("database_connections_not_closed", hint="The database does not answer.")

    async def _commit(self, session: AsyncSession) -> None:
        await run_writers(session)
        await session.commit()
        for action in take_actions(session):
            try:
                action()
            except Exception:
                # The commit stands: neither the caller nor the other actions may fail because of this one.
                logger.exception("after_commit_action_failed")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until another transaction may begin."""
        if self._writers is None:
            yield
            return
        try:
            with self.observe_wait() if self._writers.locked() else nullcontext():
                async with asyncio.timeout(self._connect_timeout):
                    await self._writers.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailableError from error
        try:
            yield
        finally:
            self._writers.release()


def _configured(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        raise ConfigurationError(["DATABASE_URL is not set; `app dev` starts a private database and sets it"])
    return engine


async def fetch_in(
    session: AsyncSession, statement: Executable, parameters: Mapping[str, object]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the rows of a statement that only reads, as the session sees them, without the session if possible."""
    bind = session.sync_session.bind
    if session.info.get(READ_ONLY) and isinstance(bind, Engine):
        return await fetch_again(bind, statement, parameters)
    return (await session.execute(statement, parameters)).all()


async def insert_if_absent(
    session: AsyncSession,
    model: type[SQLModel],
    values: Mapping[str, object],
    *,
    unique: Sequence[str],
    where: TextClause | None = None,
) -> bool:
    """Insert a row, or do nothing if one with the same `unique` columns exists, even when many try at once.

    Args:
        session: of a transaction.
        model: the table.
        values: of the row.
        unique: the columns of a unique index.
        where: the condition of the unique index, if it has one.

    Returns:
        Whether the row was inserted.
    """
    insert = insert_on(session)(model).values(**values)
    statement = insert.on_conflict_do_nothing(index_elements=unique, index_where=where)
    result = await (await session.connection()).execute(statement)
    return result.rowcount == 1


def insert_on(session: AsyncSession) -> "Callable[[type[SQLModel]], postgresql.Insert | sqlite.Insert]":
    """Return the function that makes an `INSERT … ON CONFLICT` for the session's database."""
    # The dialects are a tenth of the time that the application takes to import, and one of them is never needed.
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert


def is_unique_violation(error: IntegrityError) -> bool:
    """Return whether the error is a duplicate of a unique value, on either database."""
    codes = (getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorname", None))
    return any(code in codes for code in ("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"))


def create_database(settings: Settings) -> Database:
    """Create the engines that the settings describe. Connects to nothing yet."""
    url, read_url = settings.DATABASE_URL, settings.DATABASE_READ_URL
    if url is None:
        return Database(None)
    if url.startswith("sqlite"):
        return Database(_counted(sqlite_engine(settings, url), settings))
    replica = None if read_url is None else _pooled(settings, postgresql_engine(settings, read_url, read_only=True))
    return _pooled(settings, postgresql_engine(settings, url), replica)


def _pooled(settings: Settings, engine: AsyncEngine, replica: Database | None = None) -> Database:
    connections = None if settings.DB_USE_NULL_POOL else settings.DB_POOL_SIZE
    timeout = settings.DB_CONNECT_TIMEOUT
    return Database(_counted(engine, settings), connections=connections, connect_timeout=timeout, replica=replica)


def _counted(engine: AsyncEngine, settings: Settings) -> AsyncEngine:
    count_statements(engine.sync_engine, slow_seconds=settings.LOG_SLOW_QUERIES)
    return engine


def _autocommit_options(engine: AsyncEngine) -> dict[str, object]:
    # SQLite's driver is in autocommit anyway (core/db/engine.py), unless a transaction is begun explicitly.
    return {NO_TRANSACTION: True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
