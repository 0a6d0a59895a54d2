"""Commands of the storage module: `app files …`."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import click

from app.core.commands import with_runtime
from app.core.config.provider_selection import missing_settings
from app.core.runtime import Runtime
from app.storage.jobs import remove_orphans, sweep_files
from app.storage.object_store import ObjectStore
from app.storage.providers.registry import PROVIDERS
from app.storage.settings import StorageSettings
from app.storage.store_copy import FileCopy, Outcome, StoreCopy

PIECES: Final = {piece.name: piece for piece in PROVIDERS}


@click.group()
def files() -> None:
    """Maintain users' files."""


@files.command("sweep")
@with_runtime
async def sweep(runtime: Runtime) -> None:
    """Delete expired uploads, unfinished deletions and objects without a row. For schedulers other than the worker."""
    await sweep_files(runtime)
    await remove_orphans(runtime)
    click.echo("Done.")


@files.command("copy")
@click.option("--from", "source", type=click.Choice(list(PIECES)), required=True, help="The store that has the files.")
@click.option("--to", "target", type=click.Choice(list(PIECES)), required=True, help="The store to copy them to.")
@click.option("--dry-run", is_flag=True, help="Only check which files would be copied and which are missing.")
@with_runtime
async def copy(runtime: Runtime, source: str, target: str, *, dry_run: bool) -> None:
    """Copy users' files from one store to another, before STORAGE_PROVIDER is changed.

    Both stores need their settings; it doesn't matter which one is selected. Nothing is deleted. Keys stay the same,
    and files that the target already has are skipped, so the command may be interrupted and repeated. Run it before the
    change, and once more afterwards for the files that were uploaded in between.

    Exits with 1 if a file could not be copied, and prints its id and the reason.
    """
    if source == target:
        raise click.UsageError("--from and --to name the same store.")
    total: Counter[Outcome] = Counter()
    size = 0
    async with _opened(runtime, source) as old, _opened(runtime, target) as new:
        copying = StoreCopy(database=runtime.database, source=old, target=new, dry_run=dry_run)
        count = await copying.count()
        async for copies in copying.run():
            total.update(each.outcome for each in copies)
            size += sum(each.size for each in copies if each.outcome is Outcome.COPIED)
            _print_failures(copies)
            click.echo(f"{total.total()} of {count} files", err=True)
    click.echo(
        f"From {source} to {target}: {total[Outcome.COPIED]} {'to copy' if dry_run else 'copied'} ({size} bytes), "
        f"{total[Outcome.PRESENT]} present, {total[Outcome.FAILED]} failed."
    )
    if total[Outcome.FAILED]:
        raise click.exceptions.Exit(1)


@asynccontextmanager
async def _opened(runtime: Runtime, name: str) -> AsyncIterator[ObjectStore]:
    piece = PIECES[name]
    missing = missing_settings(piece.settings)
    if missing:
        raise click.UsageError(f"{name} requires {', '.join(missing)}. Set them first.")
    async with piece.open(runtime) as provider:
        yield ObjectStore(provider, max_upload_size=runtime.resource(StorageSettings).MAX_UPLOAD_SIZE)


def _print_failures(copies: Sequence[FileCopy]) -> None:
    for each in copies:
        if each.error is not None:
            click.echo(f"file {each.id} failed: {each.error}", err=True)
