"""`app db migrate-production` and `app db log`: migrate a database that is in use."""

from typing import TYPE_CHECKING, Final

import click

from app.cli.database import database_url

if TYPE_CHECKING:
    from app.migrate.production import Plan

REFUSED: Final = 3
"""The exit code after a failed check: nothing was changed."""
STOPPED: Final = 4
"""The exit code after a failed revision: those before it are applied."""


@click.command("migrate-production")
@click.option("--yes", is_flag=True, help="Don't ask. For the release step of a platform.")
@click.option("--dry-run", is_flag=True, help="Show the checks and the SQL. Changes nothing.")
@click.option("--ignore", multiple=True, metavar="CHECK", help="Migrate although this check fails. Can be repeated.")
def migrate_production(*, yes: bool, dry_run: bool, ignore: tuple[str, ...]) -> None:
    """Apply all pending revisions to a database that is in use.

    Checks the server, and whether the running release can work with the new schema, shows the SQL, asks, and applies
    one revision after another, each in a transaction of its own.

    Exit code 0: every revision is applied. 3: a check failed, and nothing was changed. 4: a revision failed; it was
    rolled back, and those before it are applied.
    """
    from app.migrate.production import RefusedError, StoppedError

    with database_url("app db migrate-production") as url:
        try:
            if url.startswith("sqlite"):
                _migrate_sqlite(url, dry_run=dry_run, yes=yes)
            else:
                _migrate(url, yes=yes, dry_run=dry_run, ignore=ignore)
        except (RefusedError, StoppedError) as error:
            shown = click.ClickException(str(error))
            shown.exit_code = REFUSED if isinstance(error, RefusedError) else STOPPED
            raise shown from error


def _migrate(url: str, *, yes: bool, dry_run: bool, ignore: tuple[str, ...]) -> None:
    from app.cli.db import models
    from app.migrate import migrations, production
    from app.migrate.database_state import current_heads, unknown_revisions
    from app.migrate.script_files import branches, configuration

    with production.alone(url):
        if unknown_revisions(branches(configuration(url, needs_metadata=False)), current_heads(url)):
            # A rollback to an older image: warns, or refuses a database that lacks what this code uses.
            migrations.upgrade(url, say=click.echo, newer_than=models)
        else:
            plan = production.make_plan(url)
            _show(plan)
            _require_no_doubts(plan, ignore)
            if dry_run:
                return
            if plan.pending and not yes:
                click.confirm("Apply?", abort=True)
            production.apply(url, plan, say=click.echo)
        if not dry_run:
            production.record_release(url, models())


def _migrate_sqlite(url: str, *, yes: bool, dry_run: bool) -> None:
    from app.migrate import migrations

    click.echo("SQLite locks the whole file while it migrates, so the checks of a server don't apply.")
    pending = migrations.pending(url)
    for revision in pending:
        click.echo(f"Pending: {revision.revision} ({revision.doc})")
    if not pending:
        click.echo("Nothing to do: the database has every revision.")
    elif not dry_run:
        if not yes:
            click.confirm("Apply?", abort=True)
        migrations.upgrade(url, say=click.echo)


def _show(plan: "Plan") -> None:
    from app.migrate.script_files import relative

    if not plan.pending:
        click.echo("Nothing to do: the database has every revision.")
    for revision in plan.pending:
        click.echo(f"-- {relative(revision.path)}: {revision.doc}\n{plan.sql[revision.revision]}\n")
    for note in plan.notes:
        click.echo(f"-- {note}")


def _require_no_doubts(plan: "Plan", ignore: tuple[str, ...]) -> None:
    from app.migrate.production import RefusedError

    open_doubts = [doubt for doubt in plan.doubts if doubt.check not in ignore]
    if open_doubts:
        lines = "\n".join(f"  {doubt.check}: {doubt.message}" for doubt in open_doubts)
        raise RefusedError(f"Nothing was changed.\n{lines}\nTo migrate all the same: --ignore CHECK")


@click.command("log")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Number of entries.")
def migration_log(*, limit: int) -> None:
    """Show the revisions that `app db migrate-production` has run, the newest first."""
    from functools import partial

    from app.kit.user_error import UserError
    from app.migrate import migration_log as log
    from app.migrate.database_state import on_database

    with database_url("app db log") as url:
        if url.startswith("sqlite"):
            raise UserError("SQLite has no log of migrations. `app db history` shows the applied revisions.")
        lines = on_database(url, partial(log.entries, limit=limit))
    for line in lines or ["Nothing has been run by `app db migrate-production` yet."]:
        click.echo(line)
