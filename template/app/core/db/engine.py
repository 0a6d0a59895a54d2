"""The engines: how PostgreSQL and SQLite are connected to."""

from typing import Final

from sqlalchemy import Connection, Dialect, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from app.core.config.settings import Settings
from app.core.errors import ServiceUnavailableError

READ_ONLY: Final = "read_only"
"""The execution option of connections on which no transaction begins."""

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to wait for a connection, from the server or from the pool, before the request is answered with an error."""


class DatabaseUnavailableError(ServiceUnavailableError):
    """The database does not answer, or all of its connections are busy."""

    def __init__(self) -> None:
        super().__init__("The database cannot be reached at the moment. Try again.", headers={"Retry-After": "5"})


def postgresql_engine(settings: Settings, url: str) -> AsyncEngine:
    """Return an engine with a connection pool of its own, unless DB_USE_NULL_POOL is set."""
    # Values would end up in the log, with the error that they caused.
    hide = not settings.is_local
    if settings.DB_USE_NULL_POOL:
        engine = create_async_engine(
            url, echo=settings.DEBUG, hide_parameters=hide, poolclass=NullPool, connect_args=_BEHIND_A_POOLER
        )
    else:
        engine = create_async_engine(
            url,
            echo=settings.DEBUG,
            hide_parameters=hide,
            connect_args={"timeout": CONNECT_TIMEOUT},
            pool_size=settings.DB_POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT,
            pool_recycle=settings.DB_POOL_RECYCLE,
            pool_use_lifo=True,
        )
    event.listen(engine.sync_engine, "do_connect", _connect)
    return engine


def command_engine(url: str) -> AsyncEngine:
    """Return an engine for a command: without a pool, and safe behind PgBouncer in transaction mode."""
    if url.startswith("sqlite"):
        return create_async_engine(url, poolclass=NullPool)
    return create_async_engine(url, poolclass=NullPool, connect_args=_BEHIND_A_POOLER)


_BEHIND_A_POOLER: Final = {
    "timeout": CONNECT_TIMEOUT,
    # A pooler in transaction mode gives each transaction another server connection, which may not know a statement
    # that was prepared before. Without caches and names, a statement is prepared and run in one round trip.
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
}


def _connect(
    dialect: Dialect, _record: ConnectionPoolEntry, arguments: list[object], options: dict[str, object]
) -> DBAPIConnection:
    try:
        return dialect.connect(*arguments, **options)
    except Exception as error:
        # The driver raises what the network does, which nobody could tell from another service's trouble.
        raise DatabaseUnavailableError from error


def sqlite_engine(settings: Settings, url: str) -> AsyncEngine:
    """An engine that keeps foreign keys and begins transactions when it is told to, which the driver alone does not."""
    engine = create_async_engine(url, echo=settings.DEBUG, hide_parameters=not settings.is_local)
    event.listen(engine.sync_engine, "connect", _configure_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver's own idea of when to begin leaves savepoints and DDL outside of transactions.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get(READ_ONLY):
        # A transaction that reads first and writes later would fail, without waiting, if another wrote meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
