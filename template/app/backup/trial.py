"""Restore a backup into a temporary database, to see that it can be restored."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Final

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.backup.context import BackupContext
from app.backup.create import is_sqlite
from app.backup.destination import BackupFile
from app.backup.encryption import IdentityFile
from app.backup.errors import BackupError
from app.backup.manifest import Manifest
from app.backup.restore import Receiving, check_compatible, open_restore
from app.backup.sqlite_database import SqliteRestore
from app.backup.verify import read_backup, verify_backup
from app.core.db.engine import command_engine

PREFIX: Final = "backup_verify_"
STALE: Final = 24 * 3600
"""Seconds after which a database that a killed command has left behind is dropped."""
INSUFFICIENT_PRIVILEGE: Final = "42501"


def try_restore(context: BackupContext, backup: BackupFile, identity: IdentityFile | None) -> Manifest:
    """Restore a backup's database into a temporary one on the same server, and drop that again.

    Raises:
        BackupError: it cannot be restored, or no database can be created.
    """
    manifest = verify_backup(backup, identity)
    check_compatible(manifest, context.database_url)
    if is_sqlite(context.database_url):
        with closing(SqliteRestore(context.database_url)) as database:
            read_backup(backup, Receiving(database, None), identity)
            database.end()
            database.check(manifest.database.tables)
        return manifest
    with (
        _temporary_database(context) as url,
        open_restore(context, url, manifest.database) as restore,
    ):
        read_backup(backup, Receiving(restore, None), identity)
        restore.end()
        restore.commit(manifest.database.tables)
    return manifest


@contextmanager
def _temporary_database(context: BackupContext) -> Iterator[str]:
    with context.portal.enter(_created(context.database_url)) as url:
        yield url


@asynccontextmanager
async def _created(url: str) -> AsyncIterator[str]:
    name = f"{PREFIX}{int(time.time())}_{secrets.token_hex(4)}"
    engine = command_engine(url)
    try:
        async with engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            await _drop_stale(connection)
            try:
                # Without the objects that someone may have added to template1.
                await connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:
                    raise BackupError(
                        "The user of DATABASE_URL may not create databases. Verify with another user, or on another "
                        "server: DATABASE_URL=postgresql://… app backup verify --restore …"
                    ) from None
                raise
            try:
                yield make_url(url).set(database=name).render_as_string(hide_password=False)
            finally:
                await connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    finally:
        await engine.dispose()


async def _drop_stale(connection: AsyncConnection) -> None:
    found = await connection.execute(
        text("SELECT datname FROM pg_database WHERE datname ~ :p"), {"p": f"^{PREFIX}[0-9]+_[0-9a-f]+$"}
    )
    for name in found.scalars():
        if int(name.removeprefix(PREFIX).partition("_")[0]) < time.time() - STALE:
            await connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
