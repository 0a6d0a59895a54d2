"""Personal data, retention and daily metrics of jobs."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, cast, delete, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.daily_report import rows, rows_since
from app.core.data_policy.figures import rows_by, rows_by_day
from app.core.data_policy.gauges import oldest
from app.core.manifest import Figure, Gauge, PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime
from app.jobs.models import Job, JobState
from app.jobs.settings import JobsSettings

KEEP_DEAD: Final = timedelta(days=90)
"""Minimum retention of a dead job, during which it can be retried."""


def _name(user_id: UUID) -> ColumnElement[bool]:
    """Match the jobs whose arguments contain the user's id."""
    return cast(col(Job.args), Text).contains(str(user_id))


async def forget_jobs(_runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Delete the jobs about a user, waiting ones included. Not running ones: one of them may be this erasure."""
    await session.execute(delete(Job).where(_name(user_id), col(Job.state) != JobState.RUNNING))


def _expired(runtime: Runtime, now: datetime) -> ColumnElement[bool]:
    keep = timedelta(days=runtime.resource(JobsSettings).JOBS_KEEP_DAYS)
    return or_(
        and_(col(Job.state).in_((JobState.DONE, JobState.CANCELLED)), col(Job.updated_at) < now - keep),
        and_(col(Job.state) == JobState.DEAD, col(Job.updated_at) < now - max(keep, KEEP_DEAD)),
    )


# An export leaves the arguments out: they may contain secrets, or data about other users.
PERSONAL_DATA: Final = (PersonalData(model=Job, belongs=_name, withheld=frozenset({"args", "key"}), erase=forget_jobs),)

RETENTION: Final = (RetentionRule(model=Job, expired=_expired),)

REPORT_METRICS: Final = (
    ReportMetric(name="jobs_queued", count=rows_since(col(Job.created_at))),
    ReportMetric(name="jobs_done", count=rows_since(col(Job.updated_at), col(Job.state) == JobState.DONE)),
    ReportMetric(name="jobs_dead", count=rows(Job, col(Job.state) == JobState.DEAD)),
    ReportMetric(name="jobs_waiting", count=rows(Job, col(Job.state) == JobState.WAITING)),
)

_UNFINISHED: Final = rows_by(col(Job.state), [state for state in JobState if state != JobState.DONE])

FIGURES: Final = (
    Figure(name="jobs", query=_UNFINISHED),
    Figure(name="jobs_created", query=rows_by_day(Job)),
)

GAUGES: Final = (
    Gauge(
        name="app_jobs",
        help="Jobs by state. Counted up to 10,000.",
        query=_UNFINISHED,
        labels=("state",),
    ),
    Gauge(
        name="app_jobs_oldest_age_seconds",
        help="Time for which the oldest due job has been waiting; 0 if none is due.",
        query=oldest(
            col(Job.run_at),
            lambda now: and_(col(Job.state) == JobState.WAITING, col(Job.run_at) <= now),
            order_by=col(Job.id),
        ),
    ),
)
