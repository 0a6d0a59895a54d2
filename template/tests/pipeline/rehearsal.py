"""`python -m tests.pipeline.rehearsal`: apply the pending migrations to the last release's database, with rows in it.

In a table without rows, a column that must not be null can be added and a unique index always fits: only rows show
that a migration works on a database in use.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy import func, inspect, select, table
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.db.models import metadata
from app.dev.pipeline.worktree import UV_RUN, checked_out, git, run_in
from app.dev.servers.postgres import private_postgres
from app.kit.user_error import UserError
from app.modules import MODULES
from tests.migrations.rows import fill

DATABASE = ("python", "-m", "app.cli.main", "db")
FILL = ("python", "-m", "tests.pipeline.rehearsal", "--fill")

type Counts = dict[str, int]


@click.command()
@click.option("--base", help="The commit of the last release. Default: the newest tag v* before this commit.")
@click.option("--fill", "only_fill", is_flag=True, help="Only add a row to each table of DATABASE_URL.")
def main(*, base: str | None, only_fill: bool) -> None:
    """Apply the pending migrations to the last release's database, with rows in every table."""
    try:
        if only_fill:
            asyncio.run(fill(os.environ["DATABASE_URL"], metadata))
            return
        base = base or last_release()
        if base is None:
            click.echo("There is no release (a tag v*) before this commit: nothing to rehearse.")
            return
        rehearse(base)
    except UserError as error:
        raise click.ClickException(str(error)) from error


def last_release() -> str | None:
    """Return the nearest tag of a release before this commit."""
    try:
        return git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    except UserError:
        return None


def rehearse(base: str, runner: Sequence[str] = UV_RUN) -> None:
    """Migrate a database of `base`, with rows, by the revisions of this commit.

    Args:
        base: the commit of the last release.
        runner: the beginning of a command that runs Python in a folder's own environment.

    Raises:
        UserError: a migration fails, the models differ afterwards, or a table that still exists has lost rows.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary,
        private_postgres(Path(temporary) / "postgres", durable=False) as server,
    ):
        variables = {"DATABASE_URL": server.url()}
        with checked_out(base) as folder:
            run_in(folder, [*runner, *DATABASE, "upgrade"], variables)
            run_in(folder, [*runner, *FILL], variables)
        before = asyncio.run(count_rows(server.url()))
        here = Path.cwd()
        click.echo(run_in(here, [*runner, *DATABASE, "upgrade"], variables).strip())
        click.echo(run_in(here, [*runner, *DATABASE, "check"], variables).strip())
        after = asyncio.run(count_rows(server.url()))
    if lost := lost_rows(before, after):
        raise UserError("Migrations deleted rows of:\n  " + "\n  ".join(lost))
    click.echo(f"{sum(before.values())} rows of {base} in {len(before)} tables were migrated.")


def lost_rows(before: Counts, after: Counts) -> list[str]:
    """Describe the tables that still exist and have fewer rows, one line each."""
    return [
        f"{name}: {before[name]} before, {after[name]} now"
        for name in sorted(before.keys() & after.keys())
        if after[name] < before[name]
    ]


async def count_rows(url: str) -> Counts:
    """Count the rows of each table."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        names = await connection.run_sync(_table_names)
        counts: Counts = {}
        for name in names:
            counts[name] = await connection.scalar(select(func.count()).select_from(table(name))) or 0
    await engine.dispose()
    return counts


def _table_names(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


assert MODULES  # importing the manifests has imported the tables


if __name__ == "__main__":
    main()
