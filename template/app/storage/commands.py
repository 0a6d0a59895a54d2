"""What the module adds to the command `app`."""

import click

from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.storage.jobs import remove_orphans, sweep_files


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
