"""Erasure of a user: first end the user's subscriptions at the providers."""

from uuid import UUID

import structlog

from app.core.runtime import Runtime
from app.payments.port import BillingProviders
from app.payments.reconciliation import sync_user
from app.payments.repository import SubscriptionRepository
from app.payments.store import ENDED

logger = structlog.stdlib.get_logger(__name__)


async def end_subscriptions(runtime: Runtime, user_id: UUID) -> None:
    """End all subscriptions of a user who is about to be erased, including those that no event has reported yet.

    Raises:
        Exception: a subscription could not be ended. The user is not erased, so that a deleted user is not charged.
    """
    providers = runtime.resource(BillingProviders)
    for outcome in await sync_user(runtime, user_id):
        if outcome.failed:
            raise ErasureBlockedError(outcome.provider)
    async with runtime.database.reading() as session:
        rows = await SubscriptionRepository(session).of_user(user_id)
    for row in rows:
        if row.status in ENDED and row.provider not in providers:
            # The project no longer has the provider's module.
            continue
        # Also one without access: a refunded subscription renews, and the invoice of an unpaid one can still be paid.
        await providers.get(row.provider).end_for_erasure(runtime, row)
        logger.info("subscription_ended_for_erasure", provider=row.provider, id=row.provider_id)


class ErasureBlockedError(Exception):
    """The user's subscriptions could not be ended, so the user is not erased yet."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} did not answer, so the user's subscriptions may not have ended. Try again.")
