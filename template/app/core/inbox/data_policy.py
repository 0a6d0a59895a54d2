"""Retention of inbox events, and their numbers for the daily report, administrators and monitoring."""

from datetime import timedelta
from typing import Final

from sqlalchemy import and_, or_
from sqlmodel import col

from app.core.data_policy.daily_report import rows, rows_since
from app.core.data_policy.figures import rows_by
from app.core.data_policy.gauges import oldest
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.manifest import Figure, Gauge, ReportMetric, RetentionRule

KEEP_DONE: Final = timedelta(days=30)
"""Retention of a processed event: longer than any provider repeats it."""
KEEP_FAILED: Final = timedelta(days=90)
"""Retention of a failed event, during which it can be retried."""

RETENTION: Final = (
    RetentionRule(
        model=InboxEvent,
        expired=lambda _runtime, now: or_(
            and_(col(InboxEvent.status) == InboxStatus.DONE, col(InboxEvent.processed_at) < now - KEEP_DONE),
            and_(col(InboxEvent.status) == InboxStatus.FAILED, col(InboxEvent.received_at) < now - KEEP_FAILED),
        ),
    ),
)

REPORT_METRICS: Final = (
    ReportMetric(name="inbox_received", count=rows_since(col(InboxEvent.received_at))),
    ReportMetric(name="inbox_failed", count=rows(InboxEvent, col(InboxEvent.status) == InboxStatus.FAILED)),
)

FIGURES: Final = (Figure(name="webhooks", query=rows_by(col(InboxEvent.status), InboxStatus)),)

GAUGES: Final = (
    Gauge(
        name="app_inbox_events",
        help="Inbound webhook events by status. Counted up to 10,000.",
        query=rows_by(col(InboxEvent.status), [status for status in InboxStatus if status != InboxStatus.DONE]),
        labels=("status",),
    ),
    Gauge(
        name="app_inbox_oldest_age_seconds",
        help="Time since the oldest pending inbound event arrived; 0 if there is none.",
        query=oldest(
            col(InboxEvent.received_at),
            lambda _now: col(InboxEvent.status) == InboxStatus.PENDING,
            order_by=col(InboxEvent.next_attempt_at),
        ),
    ),
)
