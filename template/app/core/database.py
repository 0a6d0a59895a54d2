"""The database: one engine a process, one transaction a request."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from app.core.settings import Settings

AfterCommit = Callable[[], None]
_AFTER_COMMIT = "after_commit"


def after_commit(session: AsyncSession, action: AfterCommit) -> None:
    """Runs `action` once the session's transaction has been committed, never if it is rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


class Database:
    """Hands out sessions on an engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # Statements of a read are single; a BEGIN and a ROLLBACK around each would double the round trips.
        self._reading_engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end of the block, or rolled back if the block raises."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session
            await session.commit()
            actions: list[AfterCommit] = session.info.pop(_AFTER_COMMIT, [])
        for action in actions:
            action()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading, without a transaction: each statement sees what is committed when it starts."""
        async with AsyncSession(self._reading_engine, expire_on_commit=False) as session:
            yield session

    async def dispose(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()


def create_database(settings: Settings) -> Database:
    """Makes the engine that the settings describe; connects to nothing yet."""
    if settings.DATABASE_URL is None:
        raise ValueError("DATABASE_URL is not set: start with `app dev`, or set it.")
    if settings.DATABASE_URL.startswith("sqlite"):
        return Database(_sqlite_engine(settings.DATABASE_URL, echo=settings.DEBUG))
    if settings.DB_USE_NULL_POOL:
        # Poolers in transaction mode cannot keep prepared statements between transactions.
        connect_args: dict[str, object] = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        engine = create_async_engine(
            settings.DATABASE_URL, echo=settings.DEBUG, poolclass=NullPool, connect_args=connect_args
        )
        return Database(engine)
    return Database(
        create_async_engine(
            settings.DATABASE_URL,
            echo=settings.DEBUG,
            pool_size=settings.DB_POOL_SIZE,
            max_overflow=0,
            pool_recycle=settings.DB_POOL_RECYCLE,
            pool_use_lifo=True,
        )
    )


def _sqlite_engine(url: str, *, echo: bool) -> AsyncEngine:
    engine = create_async_engine(url, echo=echo)

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    return engine
