"""Personal data, retention and metrics of payments. Invoices stay at the providers, as the law requires."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.daily_report import rows, rows_since
from app.core.db.models import utc_now
from app.core.manifest import PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime
from app.payments.models import BillingNotice, Reconciliation, Subscription
from app.payments.port import GIVES_ACCESS, SubscriptionStatus

KEEP_RECONCILIATIONS: Final = timedelta(days=90)


async def unlink_subscriptions(_runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Detach a user's subscriptions, which have ended. The rows are kept, so that late events change nothing."""
    await session.execute(
        update(Subscription)
        .where((col(Subscription.user_id) == user_id) | (col(Subscription.claimed_user_id) == user_id))
        .values(
            user_id=None,
            claimed_user_id=None,
            claimed_email=None,
            version=col(Subscription.version) + 1,
            updated_at=utc_now(),
        )
    )


PERSONAL_DATA: Final = (
    PersonalData(
        model=Subscription,
        belongs=lambda user_id: col(Subscription.user_id) == user_id,
        erase=unlink_subscriptions,
    ),
    PersonalData(model=BillingNotice, belongs=lambda user_id: col(BillingNotice.user_id) == user_id),
)

RETENTION: Final = (
    RetentionRule(
        model=Reconciliation,
        expired=lambda _runtime, now: col(Reconciliation.created_at) < now - KEEP_RECONCILIATIONS,
    ),
)

_PARKED: Final = (col(Subscription.user_id).is_(None), col(Subscription.status).in_(GIVES_ACCESS))

REPORT_METRICS: Final = (
    ReportMetric(name="subscriptions_started", count=rows_since(col(Subscription.created_at))),
    ReportMetric(name="subscriptions_active", count=rows(Subscription, col(Subscription.status).in_(GIVES_ACCESS))),
    ReportMetric(
        name="subscriptions_past_due", count=rows(Subscription, col(Subscription.status) == SubscriptionStatus.PAST_DUE)
    ),
    ReportMetric(name="subscriptions_without_user", count=rows(Subscription, *_PARKED)),
    ReportMetric(
        name="subscriptions_drift_repaired",
        count=lambda since, until: select(func.coalesce(func.sum(Reconciliation.repaired), 0)).where(
            col(Reconciliation.created_at) >= since, col(Reconciliation.created_at) < until
        ),
    ),
    ReportMetric(
        name="subscriptions_not_compared",
        count=lambda since, until: select(func.coalesce(func.sum(Reconciliation.failed), 0)).where(
            col(Reconciliation.created_at) >= since, col(Reconciliation.created_at) < until
        ),
    ),
)
