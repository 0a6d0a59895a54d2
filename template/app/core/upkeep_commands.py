"""What the core adds to the command `app` for those who run no crons: give these to the system's clock."""

from datetime import date, datetime, timedelta

import click

from app.core.cleanup import cleanup_old_data
from app.core.commands import with_runtime
from app.core.models import utc_now
from app.core.report import make_report
from app.core.runtime import Runtime


@click.command()
@with_runtime
async def cleanup(runtime: Runtime) -> None:
    """Removes rows whose time has come, in every module."""
    for table, count in (await cleanup_old_data(runtime)).items():
        click.echo(f"{table}: {count}")


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="In UTC, instead of yesterday.")
@with_runtime
async def report(runtime: Runtime, day: datetime | None) -> None:
    """Shows the figures of the daily report."""
    made = await make_report(runtime, day.date() if day else _yesterday())
    click.echo(made.day.isoformat())
    for name, count in made.figures.items():
        click.echo(f"  {name}: {count}")


def _yesterday() -> date:
    return utc_now().date() - timedelta(days=1)


UPKEEP_COMMANDS: tuple[click.Command, ...] = (cleanup, report)
