"""The engines: how the application and its commands connect to PostgreSQL and SQLite."""

import asyncio
import time
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Dialect, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from app.core.config.database_url import driver_arguments, is_behind_pooler
from app.core.config.settings import Settings
from app.core.errors import ServiceUnavailableError

logger = structlog.stdlib.get_logger(__name__)

NO_TRANSACTION: Final = "no_transaction"
"""The execution option of SQLite connections on which no transaction begins."""

IDLE_BEFORE_PING: Final = 30.0
"""Seconds after which a pooled connection is checked before it is used again."""
PING_TIMEOUT: Final = 2.0
CLIENT_MARGIN: Final = 2.0
"""Seconds to wait beyond the server's own timeout. A server that exceeds it doesn't answer at all."""
COMMAND_CONNECT_TIMEOUT: Final = 10.0
SQLITE_BUSY_TIMEOUT: Final = 5_000
"""Milliseconds to wait for another connection's transaction."""

UNPREPARED: Final[dict[str, object]] = {
    # A pooler in transaction mode gives each transaction another server connection, which may not know a statement
    # that was prepared before. Without caches and names, a statement is prepared and run in one round trip.
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
}


class DatabaseUnavailableError(ServiceUnavailableError):
    """The database does not answer, or all of its connections are busy."""

    def __init__(self, message: str = "The database cannot be reached at the moment. Try again.") -> None:
        super().__init__(message, headers={"Retry-After": "5"})


def postgresql_engine(settings: Settings, url: str, *, read_only: bool = False) -> AsyncEngine:
    """Return an engine with deadlines, and with a connection pool of its own unless DB_USE_NULL_POOL is set.

    Args:
        read_only: whether the server refuses every change, even if it is no replica.
    """
    arguments: dict[str, Any] = {
        "echo": settings.DEBUG,
        # Values would end up in the log, with the error that they caused.
        "hide_parameters": not settings.is_local,
    }
    if settings.DB_USE_NULL_POOL:
        arguments["poolclass"] = NullPool
    else:
        arguments |= {
            "pool_size": settings.DB_POOL_SIZE,
            "max_overflow": 0,
            "pool_timeout": settings.DB_CONNECT_TIMEOUT,
            "pool_recycle": settings.DB_POOL_RECYCLE,
            "pool_use_lifo": True,
        }
    pooler = settings.DB_USE_NULL_POOL or settings.DB_TRANSACTION_POOLER or is_behind_pooler(url)
    left, connect, parameters = driver_arguments(url)
    connect["timeout"] = settings.DB_CONNECT_TIMEOUT
    connect["command_timeout"] = settings.DB_STATEMENT_TIMEOUT + CLIENT_MARGIN
    if pooler:
        connect |= UNPREPARED
    else:
        # A pooler refuses parameters that it doesn't know; there the client's timeout has to do.
        parameters |= _server_timeouts(settings)
        if read_only:
            parameters["default_transaction_read_only"] = "on"
    engine = create_async_engine(left, connect_args={**connect, "server_settings": parameters}, **arguments)
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "checkin", _note_time)
    event.listen(engine.sync_engine, "checkout", _check_connection)
    event.listen(engine.sync_engine, "handle_error", _give_up_on_timeout)
    return engine


def command_engine(url: str) -> AsyncEngine:
    """Return an engine for a command on the database: without a pool and deadlines, and safe behind PgBouncer."""
    if url.startswith("sqlite"):
        return create_async_engine(url, poolclass=NullPool)
    left, connect, parameters = driver_arguments(url)
    connect |= {"timeout": COMMAND_CONNECT_TIMEOUT, "server_settings": parameters, **UNPREPARED}
    return create_async_engine(left, poolclass=NullPool, connect_args=connect)


def _server_timeouts(settings: Settings) -> dict[str, str]:
    return {
        name: str(int(seconds * 1000))
        for name, seconds in (
            ("statement_timeout", settings.DB_STATEMENT_TIMEOUT),
            ("lock_timeout", settings.DB_LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", settings.DB_IDLE_IN_TRANSACTION_TIMEOUT),
        )
    }


def _connect(
    dialect: Dialect, _record: ConnectionPoolEntry, arguments: list[object], options: dict[str, object]
) -> DBAPIConnection:
    try:
        return dialect.connect(*arguments, **options)
    except Exception as error:
        # The driver raises plain network errors, which can't be distinguished from those of another service.
        raise DatabaseUnavailableError from error


def _note_time(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()


def _check_connection(_connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
    """Replace a pooled connection that the server has closed, or that doesn't answer after a long time."""
    driver = record.driver_connection
    assert driver is not None  # noqa: S101 - it is being checked out
    idle = time.monotonic() - record.info.get("idle_since", time.monotonic())
    if driver.is_closed():
        raise InvalidatePoolError
    if idle > IDLE_BEFORE_PING:
        connection = record.dbapi_connection
        assert connection is not None  # noqa: S101 - it is being checked out
        try:
            connection.run_async(lambda opened: opened.fetchrow(";", timeout=PING_TIMEOUT))
        except Exception as error:
            logger.warning("idle_database_connection_lost", idle_seconds=round(idle), error=type(error).__name__)
            # Those that were idle for as long are replaced as well, without a ping each.
            driver.terminate()
            raise InvalidatePoolError from error


def _give_up_on_timeout(context: ExceptionContext) -> None:
    """Close a connection on which the server did not answer: a rollback would never return."""
    error: BaseException | None = context.original_exception
    while error is not None and not isinstance(error, asyncio.TimeoutError):
        error = error.__cause__
    if error is not None:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
        driver = None if context.connection is None else context.connection.connection.driver_connection
        if driver is not None:
            driver.terminate()
        raise DatabaseUnavailableError from error


def sqlite_engine(settings: Settings, url: str) -> AsyncEngine:
    """Return an engine that enforces foreign keys and begins transactions explicitly, unlike the driver alone."""
    engine = create_async_engine(url, echo=settings.DEBUG, hide_parameters=not settings.is_local)
    event.listen(engine.sync_engine, "connect", _configure_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver's own idea of when to begin leaves savepoints and DDL outside of transactions.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    # INSERT OR REPLACE fires the triggers of the rows that it deletes.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get(NO_TRANSACTION):
        # A transaction that reads first and writes later would fail, without waiting, if another wrote meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
