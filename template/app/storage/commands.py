"""What the module adds to the command `app`."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import click

from app.core.commands import with_runtime
from app.core.config.provider_selection import missing_settings
from app.core.runtime import Runtime
from app.storage.copying import Copying, FileCopy, Outcome
from app.storage.jobs import remove_orphans, sweep_files
from app.storage.providers.registry import PROVIDERS
from app.storage.service import StorageService
from app.storage.settings import StorageSettings

PIECES: Final = {piece.name: piece for piece in PROVIDERS}


@click.group()
def files() -> None:
    """Look after users' files."""


@files.command("sweep")
@with_runtime
async def sweep(runtime: Runtime) -> None:
    """Delete expired uploads, unfinished deletions and objects without a row; for a clock of your own."""
    await sweep_files(runtime)
    await remove_orphans(runtime)
    click.echo("Swept.")


@files.command("copy")
@click.option("--from", "source", type=click.Choice(list(PIECES)), required=True, help="The store that has them.")
@click.option("--to", "target", type=click.Choice(list(PIECES)), required=True, help="The store that gets them.")
@click.option("--dry-run", "dry", is_flag=True, help="Look only: tell what would be copied, and what is not there.")
@with_runtime
async def copy(runtime: Runtime, source: str, target: str, *, dry: bool) -> None:
    """Copy users' files from one store to another, to change STORAGE_PROVIDER without losing any.

    Both stores need their settings; which one is selected does not matter, and nothing is deleted. Files are copied as
    they are, under the same keys, and those that the other store has already are left alone: it may be interrupted and
    run again. Run it before the change, and once more after it for what came in between.

    Ends with 1 when a file could not be copied; its id is shown with the reason.
    """
    if source == target:
        raise click.UsageError("--from and --to name the same store.")
    total: Counter[Outcome] = Counter()
    size = 0
    async with _opened(runtime, source) as old, _opened(runtime, target) as new:
        copying = Copying(database=runtime.database, source=old, target=new, dry=dry)
        count = await copying.count()
        async for copies in copying.run():
            total.update(each.outcome for each in copies)
            size += sum(each.size for each in copies if each.outcome is Outcome.COPIED)
            _tell_failures(copies)
            click.echo(f"{total.total()} of {count} files", err=True)
    click.echo(
        f"From {source} to {target}: {total[Outcome.COPIED]} {'to copy' if dry else 'copied'} ({size} bytes), "
        f"{total[Outcome.PRESENT]} there already, {total[Outcome.FAILED]} failed."
    )
    if total[Outcome.FAILED]:
        raise click.exceptions.Exit(1)


@asynccontextmanager
async def _opened(runtime: Runtime, name: str) -> AsyncIterator[StorageService]:
    piece = PIECES[name]
    missing = missing_settings(piece.settings)
    if missing:
        raise click.UsageError(f"{name} needs {', '.join(missing)} to be set.")
    async with piece.open(runtime) as provider:
        yield StorageService(provider, max_upload_size=runtime.resource(StorageSettings).MAX_UPLOAD_SIZE)


def _tell_failures(copies: Sequence[FileCopy]) -> None:
    for each in copies:
        if each.error is not None:
            click.echo(f"file {each.id} failed: {each.error}", err=True)
