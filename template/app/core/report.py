"""The daily report: how much of everything there was. Each module says in its manifest what it counts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel, col

from app.core.events import Event
from app.core.inbox import InboxEvent, InboxStatus
from app.core.models import utc_now

if TYPE_CHECKING:
    from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)


type Count = Callable[[datetime, datetime], Select[int]]
"""Gives the statement that counts, for the time from its first argument to before its second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number of the report, under a name such as `projects_created`; nobody is named in it."""

    name: str
    count: Count


class DailyReport(Event):
    """The figures of one day (UTC)."""

    day: date
    figures: dict[str, int]


def rows(model: type[SQLModel], *where: ColumnElement[bool]) -> Count:
    """Counts the rows that fit every condition, whatever the day."""
    return lambda _since, _until: select(func.count()).select_from(model).where(*where)


def rows_since(time_column: Mapped[datetime] | Mapped[datetime | None], *where: ColumnElement[bool]) -> Count:
    """Counts the rows of which this time is in the day: `rows_since(col(Project.created_at))`."""
    return lambda since, until: select(func.count()).where(time_column >= since, time_column < until, *where)


CORE_FIGURES: Final = (
    Figure(name="inbox_received", count=rows_since(col(InboxEvent.received_at))),
    Figure(name="inbox_failed", count=rows(InboxEvent, col(InboxEvent.status) == InboxStatus.FAILED)),
)


async def make_report(runtime: "Runtime", day: date) -> DailyReport:
    """Counts everything of one day."""
    since = datetime.combine(day, time.min, tzinfo=UTC)
    until = since + timedelta(days=1)
    figures: dict[str, int] = {}
    async with runtime.database.reading() as session:
        for figure in (*CORE_FIGURES, *(figure for module in runtime.modules for figure in module.figures)):
            # A sum may come as a decimal.
            figures[figure.name] = int((await session.scalars(figure.count(since, until))).one())
    return DailyReport(day=day, figures=figures)


async def generate_daily_report(runtime: "Runtime") -> dict[str, int]:
    """The job: counts yesterday, writes one line into the log, and publishes the report for whoever sends it on.

    Returns:
        The figures.
    """
    report = await make_report(runtime, utc_now().date() - timedelta(days=1))
    async with runtime.database.transaction() as session:
        await runtime.events.publish(session, report)
    logger.info("daily_report", day=report.day.isoformat(), **report.figures)
    return report.figures
