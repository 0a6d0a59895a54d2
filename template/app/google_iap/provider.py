"""Google Play as a payment provider."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.google_iap.acknowledgement import acknowledge
from app.google_iap.api import GooglePlayApi
from app.google_iap.purchases import known_purchase, record, unacknowledged, unfetched_ids
from app.google_iap.snapshot import (
    NOT_BOUGHT,
    PROVIDER,
    RENEWS,
    account_of,
    bought,
    order_of,
    period_of,
    snapshot_of,
    without_access,
)
from app.google_iap.wire import SubscriptionPurchase
from app.payments.port import ProviderUnavailableError, SubscriptionSnapshot, SubscriptionStatus
from app.plans.catalog import PlanCatalog

if TYPE_CHECKING:
    from app.payments.models import Subscription

logger = structlog.stdlib.get_logger(__name__)


class GooglePlayProvider:
    """Subscriptions in Google Play. Their ids are those of the purchase tokens (`app.google_iap.models`)."""

    name = PROVIDER

    def __init__(self, api: GooglePlayApi) -> None:
        self._api = api

    async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:
        """See `BillingProvider.fetch`."""
        known = await known_purchase(runtime, provider_id)
        if known is None:
            return None
        taken_at = utc_now()
        purchase = await self._api.subscription(known.token)
        if purchase is None:
            return None
        product = bought(purchase, runtime.resource(PlanCatalog))
        order = order_of(purchase, product.item)
        period = period_of(purchase, product.item, last_order=known.order_id, last=known.period, now=taken_at)
        snapshot = snapshot_of(provider_id, purchase, product, period=period, taken_at=taken_at)
        is_bought = purchase.subscription_state not in NOT_BOUGHT
        inherited = await record(
            runtime,
            provider_id,
            order_id=order,
            period=period,
            # While the first payment is not complete, the purchase that it would replace goes on.
            replaced_token=purchase.replaced_token if is_bought else None,
            needs_acknowledgement=is_bought and purchase.needs_acknowledgement,
        )
        await self._acknowledge(runtime, provider_id, purchase)
        if account_of(purchase) is None:
            snapshot = replace(snapshot, user_id=inherited)
        if order in known.voided_orders:
            return without_access(snapshot, SubscriptionStatus.REFUNDED)
        if known.is_replaced or purchase.canceled_state_context.replacement_cancellation is not None:
            return without_access(snapshot, SubscriptionStatus.EXPIRED)
        return snapshot

    async def _acknowledge(self, runtime: Runtime, token_id: str, purchase: SubscriptionPurchase) -> None:
        """Acknowledge a purchase that gave a user a plan before. A new one is acknowledged once it is stored."""
        for waiting in await unacknowledged(runtime, token_id):
            try:
                await acknowledge(runtime, self._api, waiting, purchase)
            except ProviderUnavailableError as error:
                logger.warning("google_acknowledgement_failed", id=token_id, reason=str(error))

    async def all_ids(self, runtime: Runtime) -> AsyncIterator[str]:
        """Return the purchases whose subscriptions are not stored yet. Google Play itself cannot list any."""
        for token_id in await unfetched_ids(runtime):
            yield token_id

    def ids_of(self, runtime: Runtime, user_id: UUID) -> AsyncIterator[str] | None:  # noqa: ARG002 - the port's signature
        """Return `None`: Google Play cannot list a user's subscriptions."""
        return None

    async def end_for_erasure(self, runtime: Runtime, subscription: "Subscription") -> None:
        """Turn the renewal off, so that nothing more is charged. What was paid has no user any more.

        A purchase whose first payment is not complete cannot be cancelled. Google refunds it, because it will not be
        acknowledged. A prepaid subscription never renews.

        Raises:
            ProviderUnavailableError: Google Play does not answer, or refuses.
        """
        known = await known_purchase(runtime, subscription.provider_id)
        purchase = None if known is None else await self._api.subscription(known.token)
        if known is None or purchase is None or purchase.subscription_state not in RENEWS:
            return
        item = bought(purchase, runtime.resource(PlanCatalog)).item
        if item.prepaid_plan is None:
            await self._api.cancel(known.token, item.product_id)
