"""Commands for scheduled tasks, for projects that run them from the system's cron instead of a worker; statistics."""

from datetime import date, datetime, timedelta

import click

from app.core.commands import with_runtime
from app.core.data_policy.daily_report import make_report
from app.core.data_policy.retention import cleanup_old_data
from app.core.data_policy.statistics import compute_figures, compute_gauges
from app.core.db.models import utc_now
from app.core.runtime import Runtime


@click.command()
@with_runtime
async def cleanup(runtime: Runtime) -> None:
    """Delete expired rows in every module."""
    for table, count in (await cleanup_old_data(runtime)).items():
        click.echo(f"{table}: {count}")


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day in UTC. Default: yesterday.")
@with_runtime
async def report(runtime: Runtime, day: datetime | None) -> None:
    """Show the daily report."""
    made = await make_report(runtime, day.date() if day else _yesterday())
    click.echo(made.day.isoformat())
    for name, count in made.metrics.items():
        click.echo(f"  {name}: {count}")


@click.command()
@with_runtime
async def stats(runtime: Runtime) -> None:
    """Show the figures and the gauges of every module. `~` marks an estimate or a lower bound."""
    now = utc_now()
    for figure in await compute_figures(runtime, now):
        click.echo(f"{figure.name} ({figure.unit})" + ("" if figure.values is not None else ": not available"))
        for label, value, is_exact in figure.values or ():
            click.echo(f"  {label}: {'' if is_exact else '~'}{value}")
    for result in await compute_gauges(runtime, now):
        click.echo(result.gauge.name + ("" if result.rows is not None else ": not available"))
        for labels, number in result.rows or ():
            click.echo(f"  {', '.join(labels) or 'total'}: {number:g}")


def _yesterday() -> date:
    return utc_now().date() - timedelta(days=1)
