"""Retention of purchase tokens and voided orders, which are kept as long as they can change a subscription."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import col

from app.core.manifest import RetentionRule
from app.core.runtime import Runtime
from app.google_iap.models import GooglePurchase, GoogleVoidedOrder
from app.google_iap.purchases import FORGOTTEN_AFTER
from app.google_iap.snapshot import PROVIDER
from app.payments.models import Subscription
from app.payments.store import ENDED


def _is_forgotten(_runtime: Runtime, now: datetime) -> ColumnElement[bool]:
    """Match tokens that Google Play has forgotten: of subscriptions that ended 60 days ago, or never existed."""
    before, period_end = now - FORGOTTEN_AFTER, col(Subscription.period_end)
    has_ended = col(Subscription.status).in_(ENDED) & or_(period_end.is_(None), period_end < before)
    is_needed = exists().where(
        col(Subscription.provider) == PROVIDER,
        col(Subscription.provider_id) == col(GooglePurchase.token_id),
        ~has_ended,
    )
    return (col(GooglePurchase.created_at) < before) & ~is_needed


def _is_without_purchase(_runtime: Runtime, now: datetime) -> ColumnElement[bool]:
    """Match voided orders whose purchase was deleted. Until then, an order without access must not regain it."""
    purchase = exists().where(col(GooglePurchase.token_id) == col(GoogleVoidedOrder.token_id))
    return (col(GoogleVoidedOrder.created_at) < now - FORGOTTEN_AFTER) & ~purchase


RETENTION: Final = (
    RetentionRule(model=GooglePurchase, expired=_is_forgotten),
    RetentionRule(model=GoogleVoidedOrder, expired=_is_without_purchase),
)
