"""Commands of backups: `app backup …`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from app.backup import retention
from app.backup.context import BackupContext
from app.backup.create import CreatedBackup, create_backup
from app.backup.encryption import IdentityFile, new_identity
from app.backup.errors import BackupError
from app.backup.extract import extract_dump
from app.backup.heartbeat import heartbeat_file
from app.backup.manifest import Manifest, shown_time
from app.backup.portal import Portal
from app.backup.restore import restore_backup
from app.backup.retention import prune_backups
from app.backup.schedule import Schedule, command_line
from app.backup.settings import BackupSettings
from app.backup.trial import try_restore
from app.backup.verify import is_encrypted, verify_backup
from app.core.commands import CommandLine
from app.core.lifecycle import create_runtime
from app.core.observability.logging import log_to_stderr
from app.core.ports.file_stores import FileStores

IDENTITY: Final = click.option(
    "--identity",
    type=click.Path(path_type=IdentityFile),
    metavar="FILE",
    help="The secret key's file, if it is encrypted; /dev/stdin reads it from a pipe.",
)
DATABASE_ONLY: Final = click.option("--database-only", is_flag=True, help="Leave out the stored files.")

KEEP_DAILY: Final = click.option(
    "--keep-daily", type=click.IntRange(1), default=retention.KEEP_DAILY, show_default=True, help="Days to keep."
)
KEEP_WEEKLY: Final = click.option(
    "--keep-weekly", type=click.IntRange(0), default=retention.KEEP_WEEKLY, show_default=True, help="Weeks to keep."
)


@click.group()
def backup() -> None:
    """Back up and restore the database and the stored files."""


@contextmanager
def open_context(*, database: bool = True) -> Iterator[BackupContext]:
    """Open what the commands need: the settings, an event loop, and a developer's private database if none is set.

    Args:
        database: whether the command needs the database.

    Raises:
        BackupError: it does, and DATABASE_URL is not set.
    """
    command_line = click.get_current_context().find_object(CommandLine)
    if command_line is None:
        raise RuntimeError("Commands of backups run below the command `app`, or with a CommandLine as `obj`.")
    with command_line.database() if database else nullcontext():
        runtime = create_runtime(command_line.modules)
        url = runtime.settings.DATABASE_URL
        if database and not url:
            raise BackupError("DATABASE_URL is not set. Set it in the environment or in .env.")
        with log_to_stderr(runtime.settings), Portal() as portal:
            yield BackupContext(
                project_name=runtime.settings.PROJECT_NAME,
                settings=runtime.resource(BackupSettings),
                stores=runtime.find_resource(FileStores),
                portal=portal,
                database_url=url or "",
            )


@backup.command()
@click.option("--to", "place", metavar="DIR|s3://…", help="A folder, or s3://bucket/folder. Default: BACKUP_DIR.")
@DATABASE_ONLY
def create(place: str | None, *, database_only: bool) -> None:
    """Write a backup.

    It is encrypted if BACKUP_AGE_RECIPIENT is set. The application may run meanwhile.
    """
    with open_context() as context, context.destination(place) as destination:
        click.echo(_created(create_backup(context, destination, database_only=database_only)))


@backup.command()
@click.argument("file")
@IDENTITY
@click.option("--replace", is_flag=True, help="Replace a database that has rows.")
@DATABASE_ONLY
@click.option("--yes", is_flag=True, help="Don't ask.")
def restore(file: str, *, identity: IdentityFile | None, replace: bool, database_only: bool, yes: bool) -> None:
    """Restore a backup.

    FILE: a path, s3://bucket/folder/name, a name in BACKUP_DIR, or `latest`.

    Stop the application first. The whole backup is checked before anything changes, and the database changes in one
    transaction.
    """
    with open_context() as context, context.backup(file) as found:
        if not yes:
            warning = " All data in the database will be replaced." if replace else ""
            click.confirm(f"Restore {found.shown}?{warning} (--yes skips this question)", abort=True)
        restored = restore_backup(context, found, identity=identity, replace=replace, database_only=database_only)
    click.echo(f"Restored {found.shown}: {_contents(restored.manifest)}.")
    if restored.manifest.files is not None and not database_only:
        if restored.manifest.files.copied:
            click.echo(f"Files: {restored.files_written} written, {restored.files_present} present already.")
        else:
            click.echo("The files are in a bucket, which a backup only lists.")
    if restored.pending:
        click.echo(f"The database lacks {len(restored.pending)} revisions of this release. Run: app db upgrade")


@backup.command()
@click.argument("file")
@IDENTITY
@click.option("--restore", "trial", is_flag=True, help="Restore it into a temporary database, which is dropped again.")
def verify(file: str, *, identity: IdentityFile | None, trial: bool) -> None:
    """Check a backup. The database and the stored files don't change.

    FILE: a path, s3://bucket/folder/name, a name in BACKUP_DIR, or `latest`.

    An encrypted backup is compared with its checksum; its contents are checked with --identity.
    """
    with open_context(database=trial) as context, context.backup(file) as found:
        has_checksum = found.verify_checksum()
        if trial:
            contents = _contents(try_restore(context, found, identity))
            click.echo(f"{found.shown} was restored into a temporary database: {contents}.")
            return
        if identity is None and is_encrypted(found):
            if not has_checksum:
                raise BackupError(f"{found.name} is encrypted and has no checksum file. Pass --identity FILE.")
            click.echo(f"{found.shown} agrees with its checksum. Pass --identity FILE to check its contents.")
            return
        click.echo(f"{found.shown} is complete and intact: {_contents(verify_backup(found, identity))}.")


@backup.command("list")
@click.argument("place", required=False)
def list_backups(place: str | None) -> None:
    """List the backups in PLACE, the newest first.

    PLACE: a folder or s3://bucket/folder. Default: BACKUP_DIR.
    """
    with open_context(database=False) as context, context.destination(place) as destination:
        found = destination.backups()
        for each in found:
            mark = "encrypted" if each.encrypted else "not encrypted"
            click.echo(f"{each.name}  {shown_time(each.created_at)}  {each.size} bytes  {mark}")
        if not found:
            click.echo(f"No backups in {destination.shown}.", err=True)


@backup.command()
@click.argument("place", required=False)
@KEEP_DAILY
@KEEP_WEEKLY
def prune(place: str | None, *, keep_daily: int, keep_weekly: int) -> None:
    """Delete old backups in PLACE.

    PLACE: a folder or s3://bucket/folder. Default: BACKUP_DIR.

    The newest backup of each of the last days and weeks remains. Nothing is deleted before a remaining one has been
    compared with its checksum.
    """
    with open_context(database=False) as context, context.destination(place) as destination:
        pruned = prune_backups(destination, daily=keep_daily, weekly=keep_weekly)
        for each in pruned.damaged:
            click.echo(f"{each.name} is damaged or has no checksum.", err=True)
        click.echo(f"Deleted {len(pruned.deleted)} backups, {len(pruned.kept)} remain.")


@backup.command()
@click.option("--to", "place", metavar="DIR|s3://…", help="A folder, or s3://bucket/folder. Default: BACKUP_DIR.")
@DATABASE_ONLY
@KEEP_DAILY
@KEEP_WEEKLY
@click.option("--at", default="03:00", show_default=True, metavar="HH:MM", help="Time of the day, in UTC.")
@click.option(
    "--deadline", type=click.FloatRange(1), default=3600.0, show_default=True, help="Maximum seconds of each step."
)
def schedule(
    place: str | None, *, database_only: bool, keep_daily: int, keep_weekly: int, at: str, deadline: float
) -> None:
    """Write a backup and delete old ones, every day until SIGTERM.

    Starts with a backup if the newest one is older than a day. After a failure, tries again every 15 minutes. The
    health check of its container is `python -m app.backup.heartbeat`, which fails after a failed backup.
    """
    try:
        time = datetime.strptime(at, "%H:%M").time()  # noqa: DTZ007 - a time without a date
    except ValueError:
        raise click.BadParameter(f"{at} is not a time like 03:00.", param_hint="--at") from None
    with open_context(database=False) as context:
        with context.destination(place) as destination:
            newest = next((each.created_at for each in destination.backups()), None)
        create_options = [*(["--to", place] if place else []), *(["--database-only"] if database_only else [])]
        prune_options = [f"--keep-daily={keep_daily}", f"--keep-weekly={keep_weekly}", *([place] if place else [])]
        steps = [command_line("create", *create_options), command_line("prune", *prune_options)]
        service = Schedule(at=time, commands=steps, deadline=deadline, heartbeat=heartbeat_file())
        # An exception ends the current wait, and the running step with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        service.serve(newest)


@backup.command()
@click.argument("file")
@click.argument("target", type=click.Path(path_type=Path))
@IDENTITY
def extract(file: str, target: Path, *, identity: IdentityFile | None) -> None:
    """Write the dump in a backup to TARGET, for pg_restore or sqlite3.

    FILE: a path, s3://bucket/folder/name, a name in BACKUP_DIR, or `latest`.
    """
    with open_context(database=False) as context, context.backup(file) as found:
        manifest = extract_dump(found, target, identity)
    click.echo(f"Wrote {target}: {_contents(manifest)}.")


@backup.command("new-key")
@click.argument("file", type=click.Path(path_type=Path))
def new_key(file: Path) -> None:
    """Write a new secret key to FILE, and print its public key.

    Set BACKUP_AGE_RECIPIENT to the public key. Keep FILE away from the server: without it, the backups cannot be read.
    """
    identity, public = new_identity()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BackupError(f"{file} exists already. A key that is overwritten is lost: choose another name.") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as target:
        target.write(f"# public key: {public}\n{identity}\n")
    click.echo(public)


def _created(created: CreatedBackup) -> str:
    mark = "" if created.encrypted else " It is not encrypted: BACKUP_AGE_RECIPIENT is not set."
    return f"Wrote {created.shown} ({created.size} bytes): {_contents(created.manifest)}.{mark}"


def _contents(manifest: Manifest) -> str:
    tables = manifest.database.tables
    text = f"{sum(tables.values())} rows in {len(tables)} tables of {manifest.time}"
    if manifest.files is None:
        return text
    return f"{text}, {'' if manifest.files.copied else 'a list of '}{manifest.files.count} files"
