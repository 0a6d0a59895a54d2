"""Stripe as a payment provider: fetches subscriptions, lists them, and ends them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import stripe

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.port import ProviderUnavailableError, SubscriptionSnapshot
from app.stripe import wire
from app.stripe.api import StripeApi
from app.stripe.customers import customer_of, user_of
from app.stripe.prices import StripePrices
from app.stripe.snapshots import NAME, PERIOD_INVOICES, StripeState, charge_of, snapshot_of

WON: Final = frozenset({"won", "warning_closed", "prevented"})
"""The statuses of disputes that left the money with us (docs.stripe.com/api/disputes/object#dispute_object-status)."""

TOLERANCE: Final = timedelta(hours=1)
"""Between the start of a period and its invoice."""


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
            payments = await self._payments(subscription.latest_invoice)
            money_is_back = await self._are_back(payments) or await self._period_is_back(subscription)
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        state = StripeState(
            subscription=subscription,
            payments=payments,
            money_is_back=money_is_back,
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

    async def _payments(self, invoice: wire.Invoice | str | None) -> Sequence[wire.InvoicePayment]:
        if not isinstance(invoice, wire.Invoice) or invoice.total <= 0:
            return ()
        return await self.api.invoice_payments(invoice.id)

    async def _period_is_back(self, subscription: wire.Subscription) -> bool:
        """Return whether the payment of the current period is back, if the latest invoice is of a change within it."""
        latest = subscription.latest_invoice
        item, _ = self.prices.best_item(subscription.items.data)
        if item is None or not isinstance(latest, wire.Invoice) or latest.billing_reason in PERIOD_INVOICES:
            return False
        async for invoice in self.api.invoices_of(subscription.id):
            if invoice.billing_reason in PERIOD_INVOICES:
                # An older one is of a period that a change of the interval has ended.
                is_current = invoice.created is not None and invoice.created >= item.current_period_start - TOLERANCE
                return is_current and await self._are_back(await self._payments(invoice))
        return False

    async def _are_back(self, payments: Sequence[wire.InvoicePayment]) -> bool:
        charges = [charge for payment in payments if (charge := charge_of(payment)) is not None]
        return bool(charges) and all([charge.refunded or await self._is_lost(charge) for charge in charges])

    async def _is_lost(self, charge: wire.Charge) -> bool:
        """Return whether a charge is disputed, and we have not won."""
        if not charge.disputed:
            return False
        return any(dispute.status not in WON for dispute in await self.api.disputes(charge.id))


def _unavailable(error: stripe.StripeError) -> ProviderUnavailableError:
    """Return a retryable error: a wrong key, or a permission that a restricted key lacks, is an operator's task."""
    return ProviderUnavailableError(f"Stripe: {type(error).__name__} {error.code or ''}".rstrip())
