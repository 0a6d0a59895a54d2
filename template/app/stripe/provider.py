"""Stripe as a payment provider: fetches subscriptions, lists them, and ends them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import stripe

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.port import ProviderUnavailableError, SubscriptionSnapshot
from app.stripe.api import StripeApi
from app.stripe.customers import customer_of, user_of
from app.stripe.paid_period import PaidPeriods
from app.stripe.prices import StripePrices
from app.stripe.snapshots import NAME, StripeState, snapshot_of


@dataclass(frozen=True, slots=True)
class StripeProvider:
    """The provider `stripe`. See `app.payments.port.BillingProvider`."""

    api: StripeApi
    prices: StripePrices
    grace: timedelta

    @property
    def name(self) -> str:
        """See `BillingProvider.name`."""
        return NAME

    async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:
        """See `BillingProvider.fetch`."""
        if not self.api.is_configured:
            raise ProviderUnavailableError("STRIPE_SECRET_KEY is not set.")
        taken_at = utc_now()
        try:
            subscription = await self.api.subscription(provider_id)
            if subscription is None:
                return None
            period = await PaidPeriods(self.api, self.prices).of(subscription)
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        state = StripeState(
            subscription=subscription,
            period=period,
            user_id=await user_of(runtime, subscription.customer_id),
            taken_at=taken_at,
        )
        return snapshot_of(state, self.prices, grace=self.grace)

    async def all_ids(self, runtime: Runtime) -> AsyncIterator[str]:  # noqa: ARG002 - the port's signature
        """Yield the ids of all subscriptions that have not ended."""
        if self.api.is_configured:
            async for id_ in self._listed(None):
                yield id_

    async def ids_of(self, runtime: Runtime, user_id: UUID) -> AsyncIterator[str]:
        """Yield the ids of the subscriptions of a user's customer."""
        customer = await customer_of(runtime, user_id)
        if customer is not None and self.api.is_configured:
            async for id_ in self._listed(customer):
                yield id_

    async def end_for_erasure(self, runtime: Runtime, subscription: Subscription) -> None:  # noqa: ARG002 - the port's signature
        """Cancel the subscription at once, without a refund."""
        await self.api.cancel_subscription(subscription.provider_id)

    async def _listed(self, customer: str | None) -> AsyncIterator[str]:
        try:
            async for subscription in self.api.subscriptions(customer=customer):
                yield subscription.id
        except stripe.StripeError as error:
            raise _unavailable(error) from error


def _unavailable(error: stripe.StripeError) -> ProviderUnavailableError:
    """Return a retryable error: a wrong key, or a permission that a restricted key lacks, is an operator's task."""
    return ProviderUnavailableError(f"Stripe: {type(error).__name__} {error.code or ''}".rstrip())
