"""Retention, metrics and figures of the outbox."""

from datetime import timedelta
from typing import Final

from sqlmodel import col

from app.core.data_policy.daily_report import rows_since
from app.core.data_policy.figures import total_rows
from app.core.manifest import Figure, ReportMetric, RetentionRule
from app.realtime.models import RealtimeOutboxEvent

MAX_AGE: Final = timedelta(days=1)
"""Age at which an undelivered event is deleted: it is stale for every client."""

RETENTION: Final = (
    RetentionRule(
        model=RealtimeOutboxEvent, expired=lambda _runtime, now: col(RealtimeOutboxEvent.created_at) < now - MAX_AGE
    ),
)

# A delivered event is not in the table any more: these are the events that wait, and those that waited at midnight.
REPORT_METRICS: Final = (
    ReportMetric(name="realtime_events_undelivered", count=rows_since(col(RealtimeOutboxEvent.created_at))),
)

FIGURES: Final = (Figure(name="realtime_events_undelivered", query=total_rows(RealtimeOutboxEvent)),)
