"""`app db`: create and change the database's tables, one revision after another."""

import os
from typing import TYPE_CHECKING

import click

from app.cli.database import database_url, models
from app.cli.db_production import lint_revisions, migrate_production, migration_log, schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from alembic.script import Script


@click.group()
def db() -> None:
    """Create and change the database's tables."""


db.add_command(migrate_production)
db.add_command(migration_log)
db.add_command(lint_revisions)
db.add_command(schema)


@db.command()
def upgrade() -> None:
    """Apply all pending revisions.

    Outside local, a database that is newer than this code is left alone with a warning: that is a rollback.
    """
    from app.migrate import migrations
    from app.migrate.database_settings import database_settings

    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        click.echo(line)

    newer_than = None if database_settings().is_local else models
    with database_url("app db upgrade") as url:
        migrations.upgrade(url, say=say, newer_than=newer_than)
    if not said:
        click.echo("Nothing to do: the database has every revision.")


@db.command()
@click.argument("target")
@click.option("--yes", is_flag=True, help="Don't ask.")
def downgrade(target: str, *, yes: bool) -> None:
    """Revert revisions. Tables and columns that they created are dropped with their data.

    Shows what is lost and asks first.

    TARGET: NAME@base reverts a whole module, NAME@-1 its newest revision, a revision's id everything that follows it
    in its module, and base everything. The name of your own tables is `app`.
    """
    from app.migrate import migrations

    with database_url("app db downgrade") as url:
        reverted = migrations.to_be_reverted(url, target)
        if not reverted:
            click.echo("Nothing to do: the database has none of these revisions.")
            return
        if not yes:
            _confirm_downgrade(url, reverted)
        migrations.downgrade(url, target, say=click.echo)


def _confirm_downgrade(url: str, reverted: "Sequence[Script]") -> None:
    from app.migrate.losses import losses

    click.echo(f"In {_shown(url)}, this reverts:")
    for revision in reverted:
        click.echo(f"  {revision.revision} ({revision.doc})")
    lost = losses(url, reverted)
    click.echo("and drops, with all data:" if lost else "and drops no table or column, unless by SQL in op.execute.")
    for loss in lost:
        click.echo(f"  {loss}")
    click.confirm("Revert? (--yes skips this question)", abort=True)


@db.command()
@click.option("-m", "--message", required=True, help="What the revision does, in a few words.")
@click.option("--empty", is_flag=True, help="Write a revision without changes, to fill in by hand.")
@click.option("--module", help="Write it to this module's branch, with changes of its tables only.")
@click.option("--rename", "renames", multiple=True, metavar="TABLE.OLD=NEW", help="A column that was renamed.")
@click.option("--drop", "drops", multiple=True, metavar="TABLE[.COLUMN]", help="Drop it; it was not renamed.")
def revision(
    message: str, *, empty: bool, module: str | None, renames: tuple[str, ...], drops: tuple[str, ...]
) -> None:
    """Write a revision for changed models.

    It contains the difference between the models and the database. Read the file before you apply it.
    """
    from app.migrate import differences
    from app.migrate.renames import Choices

    choices = Choices.parse(renames, drops)
    with database_url("app db revision") as url:
        written = differences.make_revision(url, message, module=module, empty=empty, choices=choices)
    for line in written.notes:
        click.echo(line)
    if written.path is None:
        click.echo(
            "Nothing to do: the models and the database agree. To write a revision without changes, add --empty."
        )
    else:
        click.echo(f"Wrote {os.path.relpath(written.path)}. Read it, then run: app db upgrade")


@db.command()
@click.option("-m", "--message", default="Merge", help="What the revision does, in a few words.")
@click.option("--module", help="The module whose branch has two newest revisions; your own tables by default.")
def merge(message: str, module: str | None) -> None:
    """Join a branch's two newest revisions.

    A branch has two after two people have each added one. The merge revision works whichever of them a database has.
    """
    from app.migrate import migrations

    with database_url("app db merge") as url:
        merged = migrations.merge(url, message, module=module)
    if merged is None:
        click.echo("Nothing to do: the branch has one newest revision.")
        return
    path, pending = merged
    click.echo(f"Wrote {os.path.relpath(path)}. Commit it.")
    click.echo(f"`app db upgrade` will apply to this database: {', '.join(pending)}")


@db.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
def reset(*, yes: bool) -> None:
    """Drop all tables and create them again.

    Deletes all data. Runs only with ENVIRONMENT=local.
    """
    from app.kit.user_error import UserError
    from app.migrate import migrations, resetting
    from app.migrate.database_settings import database_settings

    if not database_settings().is_local:
        raise UserError("`app db reset` deletes all data. It runs only with ENVIRONMENT=local.")
    with database_url("app db reset") as url:
        if not yes:
            click.confirm(f"Delete all data in {_shown(url)}?", abort=True)
        resetting.drop_everything(url)
        migrations.upgrade(url, say=click.echo)


@db.command()
@click.option(
    "--against",
    type=click.File(encoding="utf-8"),
    help="Also check that the release whose `app db schema` wrote this file can work with the database.",
)
def check(*, against: "TextIO | None") -> None:
    """Compare the models with the database. Fails if they differ."""
    from app.cli.db_production import require_served
    from app.kit.user_error import UserError
    from app.migrate import differences

    with database_url("app db check") as url:
        found = differences.differences(url)
        if against is not None:
            require_served(url, against.read())
    for line in found.notes:
        click.echo(line)
    if found.lines:
        lines = "\n".join(f"  {line}" for line in found.lines)
        raise UserError(
            f"The models and the database differ:\n{lines}\nWrite a revision: app db revision -m 'What changes'"
        )
    click.echo("The models and the database agree.")


@db.command()
def current() -> None:
    """Show the newest applied revision of each module."""
    from app.migrate.database_state import current_heads, unknown_revisions
    from app.migrate.script_files import branches, configuration

    with database_url("app db current") as url:
        found = branches(configuration(url, needs_metadata=False))
        heads = current_heads(url)
    applied = found.applied(heads)
    for name in found.names:
        line = found.line(name)
        have = [it for it in line if it.revision in applied]
        replaced = {id_ for it in have for id_ in found.foundations(it) - {it.revision}}
        newest = sorted(f"{it.revision} ({it.doc})" for it in have if it.revision not in replaced) or ["none"]
        pending = f", {len(line) - len(have)} pending" if len(line) > len(have) else ""
        click.echo(f"{name:<16} {' and '.join(newest)}{pending}")
        if len(found.heads(name)) > 1:
            click.echo(f"{'':<16} The files have two newest revisions. Join them: app db merge")
    for id_ in unknown_revisions(found, heads):
        click.echo(f"{'?':<16} {id_} (no such file in migrations/versions)")


@db.command()
def history() -> None:
    """List all revisions, oldest first.

    This is the order in which an empty database gets them.
    """
    from app.migrate.database_state import applied_revisions
    from app.migrate.script_files import branches, configuration

    with database_url("app db history") as url:
        found = branches(configuration(url, needs_metadata=False))
        applied = applied_revisions(url, found)
    for it in found.revisions:
        mark = "applied" if it.revision in applied else "-"
        click.echo(f"{mark:<8} {found.name_of(it):<16} {it.revision:<20} {it.doc}")


def _shown(url: str) -> str:
    from sqlalchemy import make_url

    parsed = make_url(url)
    return f"{parsed.database} on {parsed.host}" if parsed.host else str(parsed.database)
