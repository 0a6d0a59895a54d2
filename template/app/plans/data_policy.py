"""Personal data, retention and metrics of usage."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, func, select
from sqlmodel import col

from app.core.manifest import CountQuery, PersonalData, ReportMetric, RetentionRule
from app.plans.models import PlanUsage

KEPT: Final = timedelta(days=400)
"""Retention of the usage of a period after its end: a year, to compare a month with that of the year before."""

PERSONAL_DATA: Final = (PersonalData(model=PlanUsage, belongs=lambda user_id: col(PlanUsage.user_id) == user_id),)

RETENTION: Final = (
    # Levels have no end; they are deleted with their user.
    RetentionRule(model=PlanUsage, expired=lambda _runtime, now: col(PlanUsage.period_end) < now - KEPT),
)


def _metered_users(since: datetime, until: datetime) -> Select[int]:
    within = col(PlanUsage.updated_at) >= since, col(PlanUsage.updated_at) < until
    return select(func.count(col(PlanUsage.user_id).distinct())).where(*within)


def _used(resource: str) -> CountQuery:
    """Return the sum of all users' current periods, at the end of the day."""

    def count(_since: datetime, until: datetime) -> Select[int]:
        current = col(PlanUsage.period_start) < until, col(PlanUsage.period_end) >= until
        return select(func.coalesce(func.sum(PlanUsage.used), 0)).where(col(PlanUsage.resource) == resource, *current)

    return count


REPORT_METRICS: Final = (
    ReportMetric(name="usage_users", count=_metered_users),
    ReportMetric(name="usage_api_calls", count=_used("api_calls")),
    ReportMetric(name="usage_ai_requests", count=_used("ai_requests")),
)
