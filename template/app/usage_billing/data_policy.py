"""Personal data, retention and metrics of usage that is billed."""

from datetime import timedelta
from typing import Final

from sqlmodel import col

from app.core.data_policy.daily_report import rows, rows_since
from app.core.data_policy.figures import rows_by
from app.core.manifest import Figure, PersonalData, ReportMetric, RetentionRule
from app.usage_billing.models import MeterErrorReport, UsageRecord, UsageState

KEPT: Final = timedelta(days=400)
"""Retention of records, to explain invoices. The invoices themselves are kept at Stripe."""

# Usage that was billed stays on the invoices at Stripe. See `send_before_erasure` for usage that is not sent yet.
PERSONAL_DATA: Final = (PersonalData(model=UsageRecord, belongs=lambda user_id: col(UsageRecord.user_id) == user_id),)

RETENTION: Final = (
    RetentionRule(model=UsageRecord, expired=lambda _runtime, now: col(UsageRecord.occurred_at) < now - KEPT),
    RetentionRule(model=MeterErrorReport, expired=lambda _runtime, now: col(MeterErrorReport.created_at) < now - KEPT),
)

_STATE: Final = col(UsageRecord.state)

REPORT_METRICS: Final = (
    ReportMetric(name="usage_recorded", count=rows_since(col(UsageRecord.created_at))),
    ReportMetric(name="usage_pending", count=rows(UsageRecord, _STATE == UsageState.PENDING)),
    ReportMetric(name="usage_parked", count=rows(UsageRecord, _STATE == UsageState.PARKED)),
    ReportMetric(name="usage_rejected", count=rows(UsageRecord, _STATE == UsageState.REJECTED)),
    ReportMetric(name="usage_unclear", count=rows(UsageRecord, _STATE == UsageState.UNCLEAR)),
)

_OPEN: Final = [state for state in UsageState if state != UsageState.SENT]

FIGURES: Final = (Figure(name="usage_records", query=rows_by(col(UsageRecord.state), _OPEN)),)
