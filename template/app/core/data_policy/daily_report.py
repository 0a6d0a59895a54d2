"""The daily report: one number per metric that a module's manifest lists."""

from datetime import UTC, date, datetime, time, timedelta

import structlog
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel

from app.core.db.models import utc_now
from app.core.manifest import CountQuery, modules_of
from app.core.ports.events import Event
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)


class DailyReport(Event):
    """The metrics of one day (UTC)."""

    day: date
    metrics: dict[str, int]


def rows(model: type[SQLModel], *where: ColumnElement[bool]) -> CountQuery:
    """Count all rows that match every condition, whatever the day."""
    return lambda _since, _until: select(func.count()).select_from(model).where(*where)


def rows_since(time_column: Mapped[datetime] | Mapped[datetime | None], *where: ColumnElement[bool]) -> CountQuery:
    """Count the rows whose time is within the day: `rows_since(col(Project.created_at))`."""
    return lambda since, until: select(func.count()).where(time_column >= since, time_column < until, *where)


async def make_report(runtime: Runtime, day: date) -> DailyReport:
    """Compute the report of one day."""
    since = datetime.combine(day, time.min, tzinfo=UTC)
    until = since + timedelta(days=1)
    metrics: dict[str, int] = {}
    database = await runtime.database.replica()
    async with database.reading() as session:
        for metric in (metric for module in modules_of(runtime) for metric in module.report_metrics):
            # A sum may be a decimal.
            metrics[metric.name] = int((await session.scalars(metric.count(since, until))).one())
    return DailyReport(day=day, metrics=metrics)


async def generate_daily_report(runtime: Runtime) -> dict[str, int]:
    """Job: compute yesterday's report, log it in one line, and publish it for modules that send it on.

    Returns:
        The metrics by name.
    """
    report = await make_report(runtime, utc_now().date() - timedelta(days=1))
    async with runtime.database.transaction() as session:
        await runtime.events.publish(session, report)
    logger.info("daily_report", day=report.day.isoformat(), **report.metrics)
    return report.metrics
