"""Alembic's environment. `app db` (app/migrate/script_files.py) sets the configuration's attributes."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, cast

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, MetaData, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.db.engine import command_engine
from app.migrate import comparison
from app.migrate.exclusive import LOCK

TURN_TIMEOUT = 600
"""Seconds to wait for another process that migrates."""
LOCK_TIMEOUT = 5
"""Seconds that a statement waits for a lock on a table. Later queries queue behind it, so it gives up soon."""
LOCK_ATTEMPTS = 6
RETRIED = {"55P03", "40P01"}
"""SQLSTATEs after which a transaction is tried again: lock timeout and deadlock."""
SQLITE_BUSY_TIMEOUT = 60_000
"""Milliseconds to wait for another process that migrates."""


def load_metadata() -> MetaData:
    """Return every table of every module."""
    # Imported when needed: `upgrade` and `downgrade` do without, and start quicker.
    from app.core.db.models import metadata  # noqa: PLC0415
    from app.modules import MODULES  # noqa: PLC0415

    assert MODULES is not None  # noqa: S101 - importing the manifests has imported the tables
    return metadata


def report(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:  # noqa: ARG001
    """Report an applied or reverted revision."""
    reported = context.config.attributes.setdefault("reported", [])
    revision = step.up_revision
    if revision is not None:
        reported.append(
            f"{'Applied' if step.is_upgrade else 'Reverted'} {revision.revision}: {cast('Script', revision).doc}"
        )


def includes(item: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:  # noqa: FBT001
    """Return whether autogenerate compares it: a table of the wanted module, and nothing that no revision created."""
    attributes = context.config.attributes
    wanted = cast("Callable[[str], bool] | None", attributes.get("tables"))
    created = cast("Callable[[object, str, str], bool] | None", attributes.get("created"))
    if kind == "table" and name is not None and wanted is not None and not wanted(name):
        return False
    if created is not None and reflected and other is None and name is not None:
        return created(item, name, kind)
    return True


def plain_type(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Render enums and types of your own as what they are in the database, so that a revision stays valid for years."""
    from sqlalchemy import Enum, TypeDecorator  # noqa: PLC0415 - as above
    from sqlmodel.sql.sqltypes import UTCDateTime  # noqa: PLC0415 - as above

    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, TypeDecorator) and type(item.impl).__module__ == "sqlalchemy.sql.sqltypes":
        return f"sa.{item.impl!r}"
    if kind == "type" and isinstance(item, Enum) and not item.native_enum:
        return f"sa.String({item.length})"
    return False


def skip_other_dialects(dialect: str) -> None:
    """Make revisions do nothing that declare other databases: `dialects = ("postgresql",)`."""
    for revision in context.script.walk_revisions():
        dialects = cast("tuple[str, ...] | None", getattr(revision.module, "dialects", None))
        if dialects is not None and dialect not in dialects:
            revision.module.upgrade = revision.module.downgrade = lambda: None  # type: ignore[attr-defined]  # a revision's


def migrate(connection: Connection) -> None:
    """Run the command on one connection, in one transaction, which SQLite has as well."""
    attributes = context.config.attributes
    needs_metadata = attributes.get("needs_metadata", True)
    skip_other_dialects(connection.dialect.name)
    if needs_metadata:
        comparison.register()
    context.configure(
        connection=connection,
        target_metadata=load_metadata() if needs_metadata else None,
        # SQLite cannot alter a table: batches create it anew.
        render_as_batch=True,
        compare_type=True,
        include_object=includes,
        render_item=plain_type,
        on_version_apply=report,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", comparison.PLUGIN],
        native_enums=attributes.get("native_enums", []),
        # With transactions as below, a revision that fails half way leaves nothing on SQLite either.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Behind PgBouncer the connection is another session's next: nothing outlives the transaction.
            # The user may have a statement_timeout that is meant for requests.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_TIMEOUT}s'"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'"))
        context.run_migrations()
        before_commit = cast("Callable[[Connection], None] | None", attributes.get("before_commit"))
        if before_commit is not None:
            before_commit(connection)


def begin_at_once(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Leave it to `lock_sqlite` to begin a transaction: the driver alone would leave tables out of it."""
    connection.isolation_level = None


def lock_sqlite(connection: Connection) -> None:
    """Lock the file before anything is read, so that the second process waits."""
    connection.exec_driver_sql(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def connect_and_migrate(url: str) -> None:
    """Open a connection of its own, without the deadlines of the application's engine, and retry on lock timeouts."""
    engine = command_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", begin_at_once)
        event.listen(engine.sync_engine, "begin", lock_sqlite)
    attributes = context.config.attributes
    say = cast("Callable[[str], None] | None", attributes.get("report"))
    retrying = cast("Callable[[str], None] | None", attributes.get("retrying"))
    try:
        for attempt in range(1, LOCK_ATTEMPTS + 1):
            attributes["reported"] = []
            try:
                async with engine.connect() as connection:
                    await connection.run_sync(migrate)
                break
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in RETRIED or attempt == LOCK_ATTEMPTS:
                    raise
                if retrying is not None:
                    retrying(
                        f"Another session holds the table. Attempt {attempt + 1} of {LOCK_ATTEMPTS} in {attempt} s."
                    )
                await asyncio.sleep(attempt)
    finally:
        await engine.dispose()
    # Only now are they committed.
    for line in attributes["reported"]:
        if say is not None:
            say(line)


asyncio.run(connect_and_migrate(context.config.attributes["url"]))
