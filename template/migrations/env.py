"""How Alembic reaches the database. `app db` (app/migrate/migrations.py) sets the configuration's attributes."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, cast

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, MetaData, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

LOCK = 7_310_579_264_381
"""Any number, the same everywhere: two processes that migrate at once take turns."""
SQLITE_PATIENCE = 60_000
"""Milliseconds to wait for a turn."""


def load_metadata() -> MetaData:
    """Every table of every module."""
    # Imported when needed: `upgrade` and `downgrade` do without, and start quicker.
    from app.core.db.models import metadata  # noqa: PLC0415
    from app.modules import MODULES  # noqa: PLC0415

    assert MODULES is not None  # noqa: S101 - importing the manifests has imported the tables
    return metadata


def report(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:  # noqa: ARG001
    """Tells of each revision."""
    say = cast("Callable[[str], None] | None", context.config.attributes.get("report"))
    revision = step.up_revision
    if say is not None and revision is not None:
        say(f"{'Applied' if step.is_upgrade else 'Reverted'} {revision.revision}: {cast('Script', revision).doc}")


def includes(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:  # noqa: FBT001
    """Whether autogenerate looks at it."""
    wanted = cast("Callable[[str], bool] | None", context.config.attributes.get("tables"))
    return kind != "table" or name is None or wanted is None or wanted(name)


def plain_type(kind: str, item: object, _context: object) -> str | Literal[False]:
    """SQLModel's types as what they are in the database: a revision then needs no SQLModel, now or in years."""
    from sqlmodel.sql.sqltypes import AutoString, UTCDateTime  # noqa: PLC0415 - as above

    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.{item.impl!r}"
    return False


def migrate(connection: Connection) -> None:
    """Runs the command on one connection, in one transaction where the database can do that."""
    needs_metadata = context.config.attributes.get("needs_metadata", True)
    context.configure(
        connection=connection,
        target_metadata=load_metadata() if needs_metadata else None,
        # SQLite cannot alter a table: batches make it anew.
        render_as_batch=True,
        compare_type=True,
        include_object=includes,
        render_item=plain_type,
        on_version_apply=report,
        # With transactions as below, a revision that fails half way leaves nothing on SQLite either.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()


def begin_at_once(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Leaves it to `lock_sqlite` to begin a transaction: the driver alone would leave tables out of it."""
    connection.isolation_level = None


def lock_sqlite(connection: Connection) -> None:
    """Takes the file for itself before anything is read, so that whoever comes second waits."""
    connection.exec_driver_sql(f"PRAGMA busy_timeout={SQLITE_PATIENCE}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def connect_and_migrate(url: str) -> None:
    """Opens a connection of its own, so that no setting of the application's engine is in the way."""
    engine = create_async_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", begin_at_once)
        event.listen(engine.sync_engine, "begin", lock_sqlite)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


asyncio.run(connect_and_migrate(context.config.attributes["url"]))
