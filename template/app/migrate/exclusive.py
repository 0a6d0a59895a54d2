"""The advisory locks that keep two migrations of one PostgreSQL database apart."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from sqlalchemy import Connection, text

from app.core.db.engine import command_engine

LOCK: Final = 7_310_579_264_381
"""The key of the advisory lock of each transaction that migrates: any number, the same in every process."""
PRODUCTION_LOCK: Final = LOCK + 1
"""The key of the advisory lock of a whole `app db migrate-production`, which has several transactions."""


@contextmanager
def exclusive(url: str) -> Iterator[bool]:
    """Hold the lock of a migration in production during the block. Yield whether it was free.

    A transaction holds it, so that it works behind a pooler and ends with the process, also by kill -9.
    """
    engine = command_engine(url)
    # The loop runs only within `run`: between the calls, Alembic runs loops of its own.
    with asyncio.Runner() as runner:
        connection = engine.connect()
        try:
            opened = runner.run(connection.start())
            statement = text("SELECT pg_try_advisory_xact_lock(:key)")
            is_free = bool(runner.run(opened.scalar(statement, {"key": PRODUCTION_LOCK})))
            # After a SELECT, the connection would keep its snapshot, for which CREATE INDEX CONCURRENTLY waits.
            runner.run(opened.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0")))
            yield is_free
        finally:
            runner.run(connection.close())
            runner.run(engine.dispose())


def migrating_process(connection: Connection) -> int | None:
    """Return the server's process that is applying a revision at the moment, as by `app db upgrade`."""
    statement = text(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :high AND objid = :low "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1"
    )
    return cast("int | None", connection.scalar(statement, {"high": LOCK >> 32, "low": LOCK & 0xFFFFFFFF}))
