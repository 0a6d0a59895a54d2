"""Statements for gauges (`app.core.manifest.Gauge`). Their cost does not grow with the table."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, inspect, literal, select
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel

from app.core.data_policy.figures import MAX_COUNTED
from app.core.manifest import GaugeQuery


def count_where(model: type[SQLModel], *where: ColumnElement[bool]) -> GaugeQuery:
    """Count the rows that meet the conditions, up to `MAX_COUNTED`. An index must cover the conditions."""
    rows = select(literal(1)).select_from(model).where(*where).limit(MAX_COUNTED).subquery()
    return lambda _runtime, _now: select(func.count()).select_from(rows)


def oldest(
    source: Mapped[datetime], where: Callable[[datetime], ColumnElement[bool]], *, order_by: Mapped[Any]
) -> GaugeQuery:
    """Return the earliest time among the first `MAX_COUNTED` rows that meet the condition at the present time.

    Args:
        source: the column of the time.
        where: returns the condition for the present time.
        order_by: the column of an index, whose order decides which rows are the first.
    """
    model = inspect(source).class_
    return lambda _runtime, now: select(
        func.min(
            select(source.label("time"))
            .select_from(model)
            .where(where(now))
            .order_by(order_by)
            .limit(MAX_COUNTED)
            .subquery()
            .c.time
        )
    )
