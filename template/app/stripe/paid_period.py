"""The payments for the current period of a subscription, and the ones among them that were returned."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.plans.catalog import Plan
from app.stripe import wire
from app.stripe.api import StripeApi
from app.stripe.prices import StripePrices

PERIOD_INVOICES: Final = frozenset({"subscription_create", "subscription_cycle"})
"""The reasons of invoices that charge for a whole period. Other invoices are of a change within it."""
WON: Final = frozenset({"won", "warning_closed", "prevented"})
"""The statuses of disputes that left the money with us (docs.stripe.com/api/disputes/object#dispute_object-status)."""
TOLERANCE: Final = timedelta(hours=1)
"""Between the start of a period and its invoice."""


@dataclass(frozen=True, slots=True)
class Bought:
    """The plan and the seats that an invoice paid for."""

    plan: Plan | None
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidPeriod:
    """The payments for the current period.

    Attributes:
        invoice: the invoice of the period itself.
        payments: those of the latest invoice.
        money_is_back: whether the period's own payment was refunded in full, or is disputed.
        instead: what the period paid for before a change whose own payment is back; `None` if there is no such change.
    """

    invoice: wire.Invoice | None = None
    payments: Sequence[wire.InvoicePayment] = ()
    money_is_back: bool = False
    instead: Bought | None = None


@dataclass(frozen=True, slots=True)
class PaidPeriods:
    """Reads paid periods from Stripe."""

    api: StripeApi
    prices: StripePrices

    async def of(self, subscription: wire.Subscription) -> PaidPeriod:
        """Return the payments for the current period of a subscription.

        Raises:
            stripe.StripeError: Stripe rejects a call.
        """
        latest = subscription.latest_invoice
        item, _ = self.prices.best_item(subscription.items.data)
        if item is None or not isinstance(latest, wire.Invoice):
            return PaidPeriod()
        payments = await self._payments(latest)
        invoice, is_back = latest, await self._are_back(payments)
        kept = None if is_back else latest
        if latest.billing_reason not in PERIOD_INVOICES:
            async for invoice in self._earlier(subscription.id, latest, item.current_period_start):
                is_back = await self._are_back(await self._payments(invoice))
                kept = kept or (None if is_back else invoice)
        instead = None if is_back or kept is None or kept is latest else await self._bought(kept)
        return PaidPeriod(invoice=invoice, payments=payments, money_is_back=is_back, instead=instead)

    async def _earlier(self, subscription: str, latest: wire.Invoice, start: datetime) -> AsyncIterator[wire.Invoice]:
        """Yield the other invoices of the current period, newest first. The last one is of the period itself."""
        async for invoice in self.api.invoices_of(subscription):
            # An older one is of a period that a change of the interval has ended.
            if invoice.created is None or invoice.created < start - TOLERANCE:
                return
            if invoice.id != latest.id:
                yield invoice
            if invoice.billing_reason in PERIOD_INVOICES:
                return

    async def _bought(self, invoice: wire.Invoice) -> Bought:
        """Return the highest plan that an invoice charges for. Credits are negative."""
        found = [Bought(None, 1)]
        for line in invoice.lines.data:
            if line.amount > 0 and line.pricing is not None and line.pricing.price_details is not None:
                plan = await self.prices.plan_of_line(line.pricing.price_details)
                found.append(Bought(plan, line.quantity or 1))
        return max(found, key=lambda each: -1 if each.plan is None else each.plan.rank)

    async def _payments(self, invoice: wire.Invoice) -> Sequence[wire.InvoicePayment]:
        return () if invoice.total <= 0 else await self.api.invoice_payments(invoice.id)

    async def _are_back(self, payments: Sequence[wire.InvoicePayment]) -> bool:
        charges = [charge for payment in payments if (charge := charge_of(payment)) is not None]
        return bool(charges) and all([charge.refunded or await self._is_lost(charge) for charge in charges])

    async def _is_lost(self, charge: wire.Charge) -> bool:
        """Return whether a charge is disputed, and we have not won."""
        if not charge.disputed:
            return False
        return any(dispute.status not in WON for dispute in await self.api.disputes(charge.id))


def charge_of(payment: wire.InvoicePayment) -> wire.Charge | None:
    """Return the charge that paid an invoice."""
    intent = payment.payment.payment_intent
    charge = intent.latest_charge if isinstance(intent, wire.PaymentIntent) else None
    return charge if payment.status == "paid" and isinstance(charge, wire.Charge) else None
