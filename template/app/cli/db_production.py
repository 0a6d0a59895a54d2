"""`app db migrate-production` and `app db log`: migrate a database that is in use."""

from typing import TYPE_CHECKING

import click

from app.cli.database import database_url, models

if TYPE_CHECKING:
    from app.migrate.production import Plan


class _Refused(click.ClickException):
    """A check failed: nothing was changed."""

    exit_code = 3


class _Stopped(click.ClickException):
    """A revision failed: those before it are applied."""

    exit_code = 4


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
            failure = _Refused if isinstance(error, RefusedError) else _Stopped
            raise failure(str(error)) from error


def _migrate(url: str, *, yes: bool, dry_run: bool, ignore: tuple[str, ...]) -> None:
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
        raise RefusedError(f"Nothing was changed.\n{lines}\nTo migrate nevertheless: --ignore CHECK")


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


@click.command("lint")
def lint_revisions() -> None:
    """Judge all revisions with squawk: locks that stop a table's users, and changes that break a running release.

    Needs no database. A rule that a revision may break stands in its `accepted`, with the reason.
    """
    from app.cli.database import has_dev_servers
    from app.kit.user_error import UserError
    from app.migrate.script_files import branches, configuration

    if not has_dev_servers():
        raise UserError("`app db lint` needs the development dependencies, which the image does not have.")
    from app.dev.squawk import judge

    found = branches(configuration("postgresql+asyncpg://", needs_metadata=False))
    problems = judge(found.revisions)
    if problems:
        raise UserError("\n".join(problems))
    click.echo(f"squawk accepts all {len(found.revisions)} revisions.")


@click.command("schema")
def schema() -> None:
    """Print the columns of this release's models as JSON, for `app db check --against` of the next release."""
    import json

    from app.migrate.release_schema import release_schema

    click.echo(json.dumps(release_schema(models()), indent=1))


def require_served(url: str, text: str) -> None:
    """Check that a release can work with the database.

    Args:
        url: the DATABASE_URL.
        text: the output of that release's `app db schema`.

    Raises:
        UserError: it cannot, or the text is something else.
    """
    from functools import partial

    from pydantic import TypeAdapter, ValidationError

    from app.kit.user_error import UserError
    from app.migrate.database_state import on_database
    from app.migrate.production import TWO_RELEASES
    from app.migrate.release_schema import ReleaseSchema, broken

    try:
        release = TypeAdapter[ReleaseSchema](ReleaseSchema).validate_json(text)
    except ValidationError as error:
        raise UserError("The file is not the output of `app db schema`.") from error
    reasons = on_database(url, partial(broken, release=release))
    if reasons:
        raise UserError("\n".join([*reasons, TWO_RELEASES]))
