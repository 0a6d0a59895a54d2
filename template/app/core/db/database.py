"""The database: one engine a process, one transaction a request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Engine, Executable, Row, TextClause
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.util import greenlet_spawn
from sqlmodel import SQLModel

from app.core.config.settings import ConfigurationError, Settings
from app.core.db.engine import READ_ONLY, DatabaseUnavailableError, postgresql_engine, sqlite_engine

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

logger = structlog.stdlib.get_logger(__name__)

AfterCommit = Callable[[], None]
_AFTER_COMMIT = "after_commit"


def after_commit(session: AsyncSession, action: AfterCommit) -> None:
    """Runs `action` once the session's transaction has been committed, never if it is rolled back.

    Raises:
        RuntimeError: the session only reads, so that nothing will ever be committed.
    """
    if session.info.get(READ_ONLY):
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
        """A session whose work is committed at the end of the block, or rolled back if the block raises.

        Raises:
            DatabaseUnavailableError: there is no connection to be had, or it broke; nothing was kept for certain.
        """
        with _availability():
            async with self.new_session(reading=False) as session:
                yield session
                await _to_the_end(_commit(session))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading, without a transaction: each statement sees what is committed when it starts.

        Raises:
            DatabaseUnavailableError: there is no connection to be had, or it broke.
            RuntimeError: at the end of the block, when something was changed that will not be kept.
        """
        with _availability():
            async with self.new_session(reading=True) as session:
                yield session
                if session.new or session.dirty or session.deleted:
                    raise RuntimeError("A reading session keeps no changes: use Database.transaction().")

    async def fetch(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows of one statement that only reads. Takes half the time of a session: for what every request asks."""
        engine = _configured(self._reading_engine)
        # One switch into the driver's world instead of one to connect, one to execute and one to close.
        with _availability():
            return await greenlet_spawn(_fetch, engine.sync_engine, statement, parameters)

    async def execute(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows that one writing statement returns, which is a transaction of its own: kept once they are here."""
        # What reads is in autocommit; a statement that is all of its transaction needs no BEGIN and COMMIT either.
        return await self.fetch(statement, parameters)

    def new_session(self, *, reading: bool) -> AsyncSession:
        """A session that nobody has opened yet. `transaction` and `reading` open and close one; use those."""
        if reading:
            bind = _configured(self._reading_engine)
            return AsyncSession(bind, expire_on_commit=False, autoflush=False, info={READ_ONLY: True})
        return AsyncSession(self.engine, expire_on_commit=False)

    @property
    def is_configured(self) -> bool:
        """Whether there is an engine."""
        return self._engine is not None

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
        info = {READ_ONLY: True} if reading else {}
        return AsyncSession(
            self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint", info=info
        )


def _configured(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        raise ConfigurationError(["DATABASE_URL is not set; `app dev` starts a private database and sets it"])
    return engine


@contextmanager
def _availability() -> Iterator[None]:
    """Tells what is the database's trouble from what is the statement's."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailableError from error
        raise


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


async def fetch_in(
    session: AsyncSession, statement: Executable, parameters: Mapping[str, object]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The rows of a statement that only reads, as the session sees them; without the session where that is the same."""
    bind = session.sync_session.bind
    if session.info.get(READ_ONLY) and isinstance(bind, Engine):
        return await greenlet_spawn(_fetch, bind, statement, parameters)
    return (await session.execute(statement, parameters)).all()


async def insert_if_absent(
    session: AsyncSession,
    model: type[SQLModel],
    values: Mapping[str, object],
    *,
    unique: Sequence[str],
    where: TextClause | None = None,
) -> bool:
    """Inserts a row, or does nothing where one with the same `unique` columns is there already, however many try.

    Args:
        where: the condition of the unique index, if it has one.

    Returns:
        Whether the row is new.
    """
    insert = _insert_on(session)(model).values(**values)
    statement = insert.on_conflict_do_nothing(index_elements=unique, index_where=where)
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
        return Database(sqlite_engine(settings, url))
    return Database(postgresql_engine(settings, url))


def _reading_options(engine: AsyncEngine) -> dict[str, object]:
    # SQLite's driver is in autocommit as it is (core/db/engine.py) and begins only where it is not told otherwise.
    return {READ_ONLY: True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
