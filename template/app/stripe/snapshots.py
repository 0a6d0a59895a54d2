"""Snapshots of subscriptions at Stripe: what its objects mean for access."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.core.db.models import utc_now
from app.payments.notices import occasion
from app.payments.port import Notice, NoticeKind, SubscriptionSnapshot, SubscriptionStatus
from app.stripe import wire
from app.stripe.paid_period import PERIOD_INVOICES, PaidPeriod
from app.stripe.prices import StripePrices

NAME: Final = "stripe"
USER_KEY: Final = "user_id"
"""The key in the metadata of customers and subscriptions that names our user."""
RECENT: Final = timedelta(days=7)
"""Receipts of older invoices are not sent: the first reconciliation of an account would send hundreds."""
CARD_REMINDER: Final = timedelta(days=30)

WRITTEN_OFF: Final = frozenset({"void", "uncollectible"})
"""The statuses of invoices that were not paid and are no longer collected."""
RENEWING: Final = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELLED, SubscriptionStatus.PAST_DUE})

_STATUSES: Final = {
    "trialing": SubscriptionStatus.TRIALING,
    "active": SubscriptionStatus.ACTIVE,
    "past_due": SubscriptionStatus.PAST_DUE,
    "paused": SubscriptionStatus.PAUSED,
    "incomplete": SubscriptionStatus.PENDING,
    # The retries are exhausted: `unpaid` keeps the subscription without payment, so it gives no access.
    "unpaid": SubscriptionStatus.EXPIRED,
    "canceled": SubscriptionStatus.EXPIRED,
    "incomplete_expired": SubscriptionStatus.EXPIRED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StripeState:
    """The state of one subscription at Stripe.

    Attributes:
        period: the payments for its current period.
        user_id: the user of its customer, by our own table.
    """

    subscription: wire.Subscription
    period: PaidPeriod
    user_id: UUID | None
    taken_at: datetime


def snapshot_of(state: StripeState, prices: StripePrices, *, grace: timedelta) -> SubscriptionSnapshot:
    """Return the snapshot of a subscription.

    Args:
        grace: how long a subscription gives access after its payment was due and has not been made.
    """
    subscription = state.subscription
    item, plan = prices.best_item(subscription.items.data)
    quantity = 1 if item is None else item.quantity or 1
    if state.period.instead is not None:
        plan, quantity = state.period.instead.plan, state.period.instead.quantity
    status = _status(state, item)
    grace_end = _grace_end(state, status, item, grace)
    email = subscription.customer.email if isinstance(subscription.customer, wire.Customer) else None
    return SubscriptionSnapshot(
        provider=NAME,
        provider_id=subscription.id,
        user_id=_named_user(subscription.metadata) or state.user_id,
        plan=None if plan is None else plan.name,
        status=status,
        access_until=_access_until(state, status, item, grace_end),
        period_start=None if item is None else item.current_period_start,
        period_end=None if item is None else item.current_period_end,
        cancel_at_period_end=ends_with_period(subscription, item),
        trial_end=subscription.trial_end,
        grace_end=grace_end,
        quantity=quantity,
        sandbox=not subscription.livemode,
        taken_at=state.taken_at,
        product=None if item is None else item.price.lookup_key or item.price.id,
        customer_id=subscription.customer_id,
        email=email,
        notices=tuple(_notices(state, item)),
    )


def invoice_notices(invoice: wire.Invoice) -> list[Notice]:
    """Return the receipt of an invoice that was paid recently."""
    paid_at = invoice.status_transitions.paid_at
    if invoice.status != "paid" or invoice.amount_paid <= 0 or paid_at is None or paid_at < utc_now() - RECENT:
        return []
    amount = money(invoice.amount_paid, invoice.currency)
    return [Notice(kind=NoticeKind.RECEIPT, key=invoice.id, url=invoice.hosted_invoice_url, detail=amount)]


def action_required(invoice: wire.Invoice) -> list[Notice]:
    """Return the notice that the bank wants a payment to be confirmed."""
    if invoice.status != "open":
        return []
    return [Notice(kind=NoticeKind.ACTION_REQUIRED, key=invoice.id, url=invoice.hosted_invoice_url)]


ZERO_DECIMAL: Final = re.compile("bif|clp|djf|gnf|jpy|kmf|krw|mga|pyg|rwf|vnd|vuv|xaf|xof|xpf")
"""Currencies without a smaller unit (https://docs.stripe.com/currencies#zero-decimal)."""
THREE_DECIMAL: Final = re.compile("bhd|jod|kwd|omr|tnd")


def money(amount: int, currency: str) -> str:
    """Return an amount for people: `19.00 USD`."""
    digits = 0 if ZERO_DECIMAL.fullmatch(currency) else 3 if THREE_DECIMAL.fullmatch(currency) else 2
    return f"{amount / 10**digits:.{digits}f} {currency.upper()}"


def _status(state: StripeState, item: wire.Item | None) -> SubscriptionStatus:
    subscription = state.subscription
    status = _STATUSES.get(subscription.status, SubscriptionStatus.PENDING)
    if status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE}:
        if state.period.money_is_back:
            return SubscriptionStatus.REFUNDED
        if subscription.pause_collection is not None:
            return SubscriptionStatus.PAUSED
        if _is_written_off(state.period.invoice):
            # The payment is not retried. The next period is charged as usual.
            status = SubscriptionStatus.ACTIVE
    if status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING} and ends_with_period(subscription, item):
        return SubscriptionStatus.CANCELLED
    return status


def ends_with_period(subscription: wire.Subscription, item: wire.Item | None) -> bool:
    """Return whether a subscription is cancelled: it ends with its current period, or earlier.

    The customer portal sets `cancel_at` to the end of the period. With a later date, the subscription is renewed first.
    """
    at = subscription.cancel_at
    return subscription.cancel_at_period_end or (at is not None and (item is None or at <= item.current_period_end))


def _is_unpaid(invoice: wire.Invoice | None) -> bool:
    """Return whether the period's own invoice is due. Stripe begins a period before its invoice is paid."""
    if invoice is None or invoice.billing_reason not in PERIOD_INVOICES:
        return False
    return invoice.status != "paid" and invoice.total > 0


def _is_written_off(invoice: wire.Invoice | None) -> bool:
    """Return whether the period's own invoice was voided or marked as uncollectible."""
    return invoice is not None and _is_unpaid(invoice) and invoice.status in WRITTEN_OFF


def _grace_end(
    state: StripeState, status: SubscriptionStatus, item: wire.Item | None, grace: timedelta
) -> datetime | None:
    invoice = state.subscription.latest_invoice
    if item is None or status not in RENEWING or _is_written_off(state.period.invoice):
        return None
    if status is not SubscriptionStatus.PAST_DUE and not _is_unpaid(state.period.invoice):
        return None
    due = invoice.created if isinstance(invoice, wire.Invoice) and invoice.status == "open" else None
    return (due or item.current_period_start) + grace


def _access_until(
    state: StripeState, status: SubscriptionStatus, item: wire.Item | None, grace_end: datetime | None
) -> datetime | None:
    subscription = state.subscription
    if item is None:
        return None
    match status:
        case SubscriptionStatus.TRIALING:
            return subscription.trial_end or item.current_period_end
        case _ if status in RENEWING and _is_written_off(state.period.invoice):
            return item.current_period_start
        case _ if status in RENEWING:
            end = min(subscription.cancel_at or item.current_period_end, item.current_period_end)
            return end if grace_end is None else min(end, grace_end)
        case SubscriptionStatus.PAUSED if subscription.status == "active":
            # Collection is paused: access lasts to the end of what was paid.
            paid = not _is_unpaid(state.period.invoice)
            return item.current_period_end if paid else item.current_period_start
        case _:
            return None


def _named_user(metadata: dict[str, str]) -> UUID | None:
    try:
        return UUID(metadata.get(USER_KEY, ""))
    except ValueError:
        return None


def _notices(state: StripeState, item: wire.Item | None) -> list[Notice]:
    subscription, invoice = state.subscription, state.subscription.latest_invoice
    notices: list[Notice] = []
    if isinstance(invoice, wire.Invoice):
        notices += invoice_notices(invoice)
        if item is not None and subscription.status == "past_due" and invoice.status == "open":
            key = occasion(subscription.id, item.current_period_start)
            notices.append(Notice(kind=NoticeKind.PAYMENT_FAILED, key=key, url=invoice.hosted_invoice_url))
        intents = [payment.payment.payment_intent for payment in state.period.payments]
        if any(isinstance(intent, wire.PaymentIntent) and intent.status == "requires_action" for intent in intents):
            notices += action_required(invoice)
    card = _card(subscription)
    if item is not None and card is not None and subscription.status in {"active", "trialing"}:
        notices += _card_notice(subscription, item, *card)
    return notices


def _card(subscription: wire.Subscription) -> tuple[str, wire.Card] | None:
    """Return the card that pays the next invoice, with the id of the payment method."""
    customer = subscription.customer
    fallback = customer.invoice_settings.default_payment_method if isinstance(customer, wire.Customer) else None
    method = subscription.default_payment_method or fallback
    return (method.id, method.card) if isinstance(method, wire.PaymentMethod) and method.card else None


def _card_notice(subscription: wire.Subscription, item: wire.Item, method: str, card: wire.Card) -> list[Notice]:
    years, month = divmod(card.exp_year * 12 + card.exp_month, 12)
    # The first moment after the month in which it expires.
    expires = datetime(years, month + 1, 1, tzinfo=UTC)
    pays_the_next = expires > item.current_period_end
    if ends_with_period(subscription, item) or pays_the_next or expires > utc_now() + CARD_REMINDER:
        return []
    key = f"{method}/{card.exp_year}-{card.exp_month:02}"
    return [Notice(kind=NoticeKind.CARD_EXPIRES, key=key, detail=f"at the end of {card.exp_month:02}/{card.exp_year}")]
