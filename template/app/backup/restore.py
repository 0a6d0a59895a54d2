"""Restore a backup."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from app.backup.client_programs import client_programs, connection_variables
from app.backup.context import BackupContext
from app.backup.create import is_sqlite
from app.backup.destination import BackupFile, slug
from app.backup.encryption import IdentityFile
from app.backup.errors import BackupError
from app.backup.manifest import DatabaseContents, Manifest
from app.backup.postgres_catalog import filled_tables, server_version
from app.backup.postgres_restore import PostgresRestore
from app.backup.sqlite_database import SqliteRestore, connect, database_path
from app.backup.sqlite_database import filled_tables as filled_sqlite_tables
from app.backup.stored_files import FilesRestore
from app.backup.verify import read_backup, verify_backup
from app.core.db.engine import command_engine
from app.core.db.revision_files import pending_revisions, read_revision_files

MAX_NAMED = 5


class DatabaseRestore(Protocol):
    """A running restore of a database. Nothing changes before `commit`."""

    def write(self, content: bytes) -> None:
        """Restore a part of the dump."""
        ...

    def end(self) -> None:
        """Finish the dump."""
        ...

    def commit(self, tables: Mapping[str, int]) -> None:
        """Make it visible, if every table has its number of rows."""
        ...

    def close(self) -> None:
        """Undo what was not committed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoredBackup:
    """A backup that was just restored.

    Attributes:
        manifest: of the backup.
        files_written: the number of restored files.
        files_present: the number of files that the store had already.
        pending: the revisions that this code has and the restored database lacks.
    """

    manifest: Manifest
    files_written: int
    files_present: int
    pending: list[str]


def restore_backup(
    context: BackupContext, backup: BackupFile, *, identity: IdentityFile | None, replace: bool, database_only: bool
) -> RestoredBackup:
    """Check a backup, then restore it: the database in one transaction, the stored files before its commit.

    Raises:
        BackupError: it was not restored. The database is unchanged; files that were restored already remain.
    """
    manifest = verify_backup(backup, identity)
    check_compatible(manifest, context.database_url)
    if slug(manifest.project) != context.project:
        raise BackupError(
            f"The backup is of the project {manifest.project}, and this one is {context.project_name}. Nothing was "
            "changed. If the project was renamed, set PROJECT_NAME to the earlier name for this command."
        )
    if not replace:
        _require_empty(context)
    with ExitStack() as stack:
        database = stack.enter_context(open_restore(context, context.database_url, manifest.database))
        files = None
        if manifest.files is not None and manifest.files.copied and not database_only:
            if context.stores is None:
                raise BackupError(
                    "The backup contains stored files, and this application has no storage. Pass --database-only."
                )
            files = FilesRestore(context.portal, stack.enter_context(context.portal.enter(context.stores.open())))
        manifest = read_backup(backup, Receiving(database, files), identity)
        database.end()
        database.commit(manifest.database.tables)
    return RestoredBackup(
        manifest=manifest,
        files_written=files.written if files else 0,
        files_present=files.present if files else 0,
        pending=pending_revisions(read_revision_files(), manifest.database.revisions),
    )


class Receiving:
    """A receiver that restores.

    Args:
        database: the restore of the database.
        files: the restore of the files; `None` skips them.
    """

    def __init__(self, database: DatabaseRestore, files: FilesRestore | None) -> None:
        self._database = database
        self._files = files
        self._ended = False

    def database(self, content: bytes) -> None:
        """See `Receiver.database`."""
        self._database.write(content)

    def file(self, key: str, size: int, content: Iterator[bytes]) -> None:
        """See `Receiver.file`."""
        if self._files is not None:
            self._files.file(key, size, content)

    def listing(self, content: bytes) -> None:
        """See `Receiver.listing`."""


def check_compatible(manifest: Manifest, url: str) -> None:
    """Refuse a backup of another kind of database, or of code with other revisions.

    Raises:
        BackupError: says which.
    """
    kind = "sqlite" if is_sqlite(url) else "postgresql"
    if manifest.database.kind != kind:
        raise BackupError(
            f"The backup is of a {manifest.database.kind} database, and DATABASE_URL names a {kind} one. Nothing was "
            "changed."
        )
    unknown = sorted(set(manifest.database.revisions) - {file.id for file in read_revision_files()})
    if unknown:
        more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
        raise BackupError(
            f"The backup has revisions that this release does not know: {', '.join(unknown[:MAX_NAMED])}{more}. Use "
            f"the release that wrote it (version {manifest.version}) or a newer one. Nothing was changed."
        )


@contextmanager
def open_restore(context: BackupContext, url: str, contents: DatabaseContents) -> Iterator[DatabaseRestore]:
    """Begin a restore of the database, and undo it at the end of the block unless it was committed.

    It replaces all tables.
    """
    database: DatabaseRestore
    if is_sqlite(url):
        database = SqliteRestore(url)
    else:
        major = context.portal.call(_server_major(url))
        database = PostgresRestore(
            client_programs(major), connection_variables(url), server_major=major, extensions=contents.extensions
        )
    try:
        yield database
    finally:
        database.close()


async def _server_major(url: str) -> int:
    engine = command_engine(url)
    try:
        async with engine.connect() as connection:
            return (await server_version(connection))[0]
    finally:
        await engine.dispose()


def _require_empty(context: BackupContext) -> None:
    """Refuse a database with rows. Tables without rows, as after `app db upgrade`, are replaced."""
    url = context.database_url
    if is_sqlite(url):
        path = database_path(url)
        if not path.exists():
            return
        with closing(connect(path)) as connection:
            try:
                filled = filled_sqlite_tables(connection)
            except sqlite3.DatabaseError as error:
                raise BackupError(f"The database {path} cannot be read: {error}. Move the file away.") from None
    else:
        filled = context.portal.call(_filled(url))
    if filled:
        more = f" and {len(filled) - MAX_NAMED} more" if len(filled) > MAX_NAMED else ""
        raise BackupError(
            f"The database is not empty: {', '.join(filled[:MAX_NAMED])}{more} have rows. --replace deletes all its "
            "data in favour of the backup's. Nothing was changed."
        )


async def _filled(url: str) -> list[str]:
    engine = command_engine(url)
    try:
        async with engine.connect() as connection:
            return await filled_tables(connection)
    finally:
        await engine.dispose()
