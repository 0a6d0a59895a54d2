"""`app db`: the database's tables, one revision after another."""

import os

import click

from app.cli.database import database_url


@click.group()
def db() -> None:
    """The database's tables."""


@db.command()
def upgrade() -> None:
    """Apply every revision that the database lacks."""
    from app.migrate import migrations

    with database_url("app db upgrade") as url:
        count = migrations.upgrade(url, say=click.echo)
    if not count:
        click.echo("Nothing to do: the database has every revision.")


@db.command()
@click.argument("target")
def downgrade(target: str) -> None:
    """Take revisions back.

    TARGET says how far: NAME@base all of a module, NAME@-1 its newest, a revision's id what came after it in its
    module, base everything. `app` is the name of your own.
    """
    from app.migrate import migrations

    with database_url("app db downgrade") as url:
        count = migrations.downgrade(url, target, say=click.echo)
    if not count:
        click.echo("Nothing to do: the database has none of these revisions.")


@db.command()
@click.option("-m", "--message", required=True, help="What it does, in a few words.")
@click.option("--empty", is_flag=True, help="Write it even if there is nothing to do, to be filled by hand.")
@click.option("--module", help="Put it into a module's own branch, with changes of that module's tables only.")
def revision(message: str, *, empty: bool, module: str | None) -> None:
    """Write a revision.

    It has what the models have and the database lacks. Read it before you apply it.
    """
    from app.migrate import differences

    with database_url("app db revision") as url:
        path = differences.make_revision(url, message, module=module, empty=empty)
    if path is None:
        click.echo("Nothing to do: the models and the database agree. (--empty writes one all the same.)")
    else:
        click.echo(f"Wrote {os.path.relpath(path)}. Read it, then run: app db upgrade")


@db.command()
def check() -> None:
    """Tell whether the models and the database agree."""
    from app.kit.user_error import UserError
    from app.migrate import differences

    with database_url("app db check") as url:
        found = differences.differences(url)
    if found:
        lines = "\n".join(f"  {line}" for line in found)
        raise UserError(
            f"The models and the database differ:\n{lines}\nWrite a revision: app db revision -m 'What changes'"
        )
    click.echo("The models and the database agree.")


@db.command()
def current() -> None:
    """Show how far the database is."""
    from app.migrate import migrations

    with database_url("app db current") as url:
        found = migrations.branches(migrations.configuration(url, needs_metadata=False))
        applied = migrations.applied_revisions(url, found)
    for name in found.names:
        line = found.line(name)
        have = [revision for revision in line if revision.revision in applied]
        newest = f"{have[-1].revision} ({have[-1].doc})" if have else "none"
        click.echo(f"{name:<16} {newest}{'' if len(have) == len(line) else f', {len(line) - len(have)} to apply'}")


@db.command()
def history() -> None:
    """List all revisions.

    In the order in which an empty database gets them.
    """
    from app.migrate import migrations

    with database_url("app db history") as url:
        found = migrations.branches(migrations.configuration(url, needs_metadata=False))
        applied = migrations.applied_revisions(url, found)
    for revision in found.revisions:
        mark = "applied" if revision.revision in applied else "-"
        click.echo(f"{mark:<8} {found.name_of(revision):<16} {revision.revision:<20} {revision.doc}")
