"""Personal data, retention and metrics of impersonation."""

from datetime import timedelta
from typing import Final

from sqlmodel import col

from app.core.data_policy.daily_report import rows_since
from app.core.data_policy.figures import rows_where
from app.core.manifest import Figure, PersonalData, ReportMetric, RetentionRule
from app.impersonation.models import Impersonation

KEEP_ENDED: Final = timedelta(days=30)
"""The audit trail has them for longer."""

PERSONAL_DATA: Final = (
    PersonalData(
        model=Impersonation,
        belongs=lambda user_id: (col(Impersonation.user_id) == user_id) | (col(Impersonation.admin_id) == user_id),
    ),
)

RETENTION: Final = (
    RetentionRule(model=Impersonation, expired=lambda _runtime, now: col(Impersonation.ended_at) < now - KEEP_ENDED),
)

REPORT_METRICS: Final = (ReportMetric(name="impersonations_started", count=rows_since(col(Impersonation.created_at))),)

FIGURES: Final = (
    Figure(name="impersonations_open", query=rows_where(Impersonation, col(Impersonation.ended_at).is_(None))),
)
