"""The figures of plans: what is used in the current periods, such as requests to language models."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Select, cast, func, literal_column, select
from sqlmodel import col

from app.core.data_policy.figures import MAX_COUNTED
from app.core.manifest import Figure
from app.core.runtime import Runtime
from app.plans.models import PlanUsage


def usage(_runtime: Runtime, now: datetime) -> Select[str, int, bool]:
    """Add up the usage of each counter in the current periods of users."""
    current = (
        select(col(PlanUsage.resource), col(PlanUsage.used))
        .where(col(PlanUsage.period_end) > now)
        .limit(literal_column(str(MAX_COUNTED + 1)))
        .cte("current")
    )
    is_exact = select(func.count() <= MAX_COUNTED).select_from(current).scalar_subquery()
    return (
        select(current.c.resource, cast(func.sum(current.c.used), BigInteger), is_exact)
        .group_by(current.c.resource)
        .order_by(current.c.resource)
    )


FIGURES: Final = (Figure(name="usage", query=usage),)
