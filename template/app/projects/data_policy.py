"""What is kept of users here, when it goes, and what of it is counted."""

from datetime import timedelta
from typing import Final

from sqlmodel import col

from app.core.data_policy.daily_report import rows_since
from app.core.manifest import PersonalData, ReportMetric, RetentionRule
from app.projects.models import Project

KEEP_DELETED: Final = timedelta(days=30)
"""How long a deleted project can be restored."""

PERSONAL_DATA: Final = (PersonalData(model=Project, belongs=lambda user_id: col(Project.owner_id) == user_id),)

RETENTION: Final = (
    RetentionRule(model=Project, expired=lambda _runtime, now: col(Project.deleted_at) < now - KEEP_DELETED),
)

REPORT_METRICS: Final = (ReportMetric(name="projects_created", count=rows_since(col(Project.created_at))),)
