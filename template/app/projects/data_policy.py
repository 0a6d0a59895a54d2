"""Personal data, retention, metrics and the plan's limit of projects."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlmodel import col

from app.core.data_policy.daily_report import rows_since
from app.core.data_policy.figures import rows_by_day, total_rows
from app.core.manifest import Figure, PersonalData, PlanLevel, ReportMetric, RetentionRule
from app.projects.models import Project

RESTORE_PERIOD: Final = timedelta(days=30)
"""Time in which a deleted project can be restored."""

PERSONAL_DATA: Final = (PersonalData(model=Project, belongs=lambda user_id: col(Project.owner_id) == user_id),)

RETENTION: Final = (
    RetentionRule(model=Project, expired=lambda _runtime, now: col(Project.deleted_at) < now - RESTORE_PERIOD),
)

LEVELS: Final = (
    PlanLevel(
        resource="projects",
        measure=lambda user_id: select(func.count()).where(
            col(Project.owner_id) == user_id, col(Project.deleted_at).is_(None)
        ),
    ),
)

REPORT_METRICS: Final = (ReportMetric(name="projects_created", count=rows_since(col(Project.created_at))),)

FIGURES: Final = (
    Figure(name="projects", query=total_rows(Project)),
    Figure(name="projects_created", query=rows_by_day(Project)),
)
