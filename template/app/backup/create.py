"""Make a backup."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import packages_distributions, version
from typing import IO

from app.backup.archive_writer import ArchiveWriter
from app.backup.context import BackupContext
from app.backup.destination import Destination, backup_name
from app.backup.encryption import encrypted, recipient
from app.backup.manifest import DatabaseContents, Manifest
from app.backup.postgres_dump import postgres_snapshot
from app.backup.snapshot import Snapshot
from app.backup.sqlite_database import sqlite_snapshot
from app.backup.stage import Stage
from app.backup.stored_files import write_files


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatedBackup:
    """A backup that was just made."""

    shown: str
    size: int
    manifest: Manifest
    encrypted: bool


def create_backup(context: BackupContext, destination: Destination, *, database_only: bool) -> CreatedBackup:
    """Back up the database and the stored files, as a stream: memory and disk don't hold the whole.

    The database is dumped first, as of one moment, and the files afterwards: a file that was uploaded meanwhile is too
    much, and does no harm.

    Raises:
        BackupError: the backup was not made. Nothing of it remains.
    """
    recipient_value = context.settings.BACKUP_AGE_RECIPIENT
    manifests: list[Manifest] = []
    with destination.lock(), snapshot(context) as taken:
        created_at = datetime.now(UTC).replace(microsecond=0)
        taken_times = {backup.created_at for backup in destination.backups()}
        while created_at in taken_times:
            created_at += timedelta(seconds=1)
        name = backup_name(context.project_name, created_at, encrypted=bool(recipient_value))

        def write(target: IO[bytes]) -> None:
            manifests.append(_write(context, target, taken, created_at, database_only=database_only))

        with ExitStack() as stack:
            stream = stack.enter_context(Stage(write))
            if recipient_value:
                stream = stack.enter_context(encrypted(stream, [recipient(recipient_value)]))
            size = destination.save(name, stream)
    return CreatedBackup(
        shown=f"{destination.shown}/{name}", size=size, manifest=manifests[0], encrypted=bool(recipient_value)
    )


@contextmanager
def snapshot(context: BackupContext) -> Iterator[Snapshot]:
    """Hold a snapshot of the database until the end of the block."""
    url = context.database_url
    with sqlite_snapshot(url) if is_sqlite(url) else context.portal.enter(postgres_snapshot(url)) as taken:
        yield taken


def is_sqlite(url: str) -> bool:
    """Return whether the database is a file."""
    return url.startswith("sqlite")


def _write(
    context: BackupContext, target: IO[bytes], taken: Snapshot, created_at: datetime, *, database_only: bool
) -> Manifest:
    writer = ArchiveWriter(target)
    dump = writer.database(taken.dump())
    stores = None if database_only else context.stores
    manifest = Manifest(
        project="".join(filter(str.isprintable, context.project_name))[:200],
        version=_version(),
        created_at=created_at,
        database=DatabaseContents(
            kind=taken.kind,
            server_version=taken.server_version,
            extensions=taken.extensions,
            revisions=taken.revisions,
            tables=dict(taken.tables),
            size=dump.size,
            sha256=dump.hex,
        ),
        files=write_files(writer, context.portal, stores) if stores is not None else None,
    )
    writer.finish(manifest)
    return manifest


def _version() -> str:
    """Return the version of this application's distribution."""
    names = packages_distributions().get("app", [])
    return version(names[0]) if names else "unknown"
