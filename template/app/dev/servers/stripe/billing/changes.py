"""Change the prices and quantities of a subscription, with prorations, and preview what a change costs."""

import copy
from dataclasses import dataclass, field
from typing import Literal

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import invoicing, lifecycle
from app.dev.servers.stripe.billing.items import new_item, plan_of
from app.dev.servers.stripe.billing.periods import day_text, period_end
from app.dev.servers.stripe.cards import Outcome, card_of
from app.dev.servers.stripe.errors import ApiError, invalid
from app.dev.servers.stripe.objects.catalog import Price
from app.dev.servers.stripe.objects.invoices import Invoice, InvoiceLine, Period
from app.dev.servers.stripe.objects.subscriptions import Subscription, SubscriptionItem

type ProrationBehavior = Literal["always_invoice", "create_prorations", "none"]
type PaymentBehavior = Literal["allow_incomplete", "error_if_incomplete"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemChange:
    """The change of one item. Without an item's id, it adds a new item."""

    item: str | None = None
    price: Price | None = None
    quantity: int | None = None
    deleted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of a subscription's items.

    Attributes:
        at: the time that prorations are calculated for.
        restart: whether a new billing period begins, even if the interval stays.
    """

    at: int
    items: list[ItemChange] = field(default_factory=list)
    proration: ProrationBehavior = "create_prorations"
    payment: PaymentBehavior = "allow_incomplete"
    restart: bool = False


@dataclass(kw_only=True)
class Repriced:
    """The lines that a change makes, and whether they are invoiced at once."""

    lines: list[InvoiceLine]
    at_once: bool


def reprice(account: Account, subscription: Subscription, change: Change) -> Repriced:
    """Change the items of the subscription, and return the prorations.

    Raises:
        ApiError: an item doesn't exist, or none is left.
    """
    before = copy.deepcopy(subscription.items)
    period = Period(start=subscription.period_start, end=subscription.period_end)
    for one in change.items:
        _change_item(account, subscription, one, period)
    if not subscription.items:
        raise invalid("A subscription must have at least one active plan.", "items")
    if subscription.status == "trialing":
        return Repriced(lines=[], at_once=False)
    restarts = change.restart or any(_interval(item) != _interval(before[0]) for item in subscription.items)
    changed = before if restarts else [item for item in before if subscription.item(item.id) != item]
    lines = [] if change.proration == "none" else _prorations(account, changed, change.at, credit=True)
    lines += _usage_until_now(account, subscription, before, change, restarts=restarts)
    if restarts:
        subscription.billing_cycle_anchor = change.at
        lines += _restart(account, subscription, change.at)
    elif change.proration != "none":
        fresh = [item for item in subscription.items if item not in before]
        lines += _prorations(account, fresh, change.at, credit=False)
    return Repriced(lines=lines, at_once=bool(lines) and (restarts or change.proration == "always_invoice"))


def _change_item(account: Account, subscription: Subscription, change: ItemChange, period: Period) -> None:
    if change.item is None:
        if change.price is None:
            raise invalid("Missing required param: items[0][price].", "items[0][price]", code="parameter_missing")
        subscription.items.append(new_item(account, subscription.id, change.price, change.quantity or 1, period))
        return
    item = subscription.item(change.item)
    if item is None:
        raise ApiError(
            message=f"No such subscription item: '{change.item}'",
            status=404,
            code="resource_missing",
            param="items[0][id]",
        )
    if change.deleted:
        subscription.items.remove(item)
        return
    if change.price is not None:
        item.price, item.plan = copy.deepcopy(change.price), plan_of(change.price)
    if change.quantity is not None:
        item.quantity = change.quantity


def _usage_until_now(
    account: Account, subscription: Subscription, before: list[SubscriptionItem], change: Change, *, restarts: bool
) -> list[InvoiceLine]:
    """Return the lines for usage of prices that are removed or whose period ends, and count later usage from now.

    The usage of a removed price is not billed in the billing mode `classic`, nor with `proration_behavior=none`. See
    https://docs.stripe.com/billing/subscriptions/usage-based/manage-billing-setup.
    """
    now, lines = account.now, []
    prices_before = {(item.id, item.price.id) for item in before}
    prices_after = {(item.id, item.price.id) for item in subscription.items}
    loses = change.proration == "none" or subscription.billing_mode.type == "classic"
    for item in before:
        removed = (item.id, item.price.id) not in prices_after
        if item.price.is_metered and (not loses if removed else restarts):
            lines.append(lifecycle.usage_line(account, item, subscription.customer, now))
    for item in subscription.items:
        if item.price.is_metered and (restarts or (item.id, item.price.id) not in prices_before):
            item.metered_from = now
    return [line for line in lines if line.quantity]


def _interval(item: SubscriptionItem) -> tuple[str, int] | None:
    recurring = item.price.recurring
    return None if recurring is None else (recurring.interval, recurring.interval_count)


def _prorations(account: Account, items: list[SubscriptionItem], at: int, *, credit: bool) -> list[InvoiceLine]:
    """Return a line for the rest of the period of each item."""
    lines = []
    for item in items:
        start, end = item.current_period_start, item.current_period_end
        amount = round(item.price.amount_of(item.quantity) * (end - at) / (end - start))
        if item.price.is_metered or end <= at:
            continue
        what = "Unused" if credit else "Remaining"
        name = invoicing.product_name(account, item)
        text = f"{what} time on {item.quantity} x {name} after {day_text(at)}"
        period = Period(start=at, end=end)
        lines.append(invoicing.line(account, item, -amount if credit else amount, period, text, proration=True))
    return lines


def _restart(account: Account, subscription: Subscription, at: int) -> list[InvoiceLine]:
    lines = []
    for item in subscription.items:
        item.current_period_start, item.current_period_end = at, period_end(at, item.price, at)
        if item.price.is_metered:
            continue
        quantity = item.quantity or 0
        period = Period(start=at, end=item.current_period_end)
        text = f"{quantity} x {invoicing.product_name(account, item)}"
        lines.append(invoicing.line(account, item, item.price.amount_of(quantity), period, text))
    return lines


def apply(account: Account, subscription: Subscription, change: Change) -> None:
    """Carry out a change. What is invoiced at once is also collected.

    Raises:
        ApiError: the change is wrong; or with `error_if_incomplete`, the payment failed. Nothing has changed then.
    """
    tried = copy.deepcopy(subscription)
    result = reprice(account, tried, change)
    invoice = None
    if result.at_once:
        invoice = invoicing.draft(account, tried, result.lines, "subscription_update", proration_date=change.at)
        if change.payment == "error_if_incomplete":
            _check_payment(account, subscription, invoice)
    subscription.items, subscription.billing_cycle_anchor = tried.items, tried.billing_cycle_anchor
    if invoice is None:
        if change.proration == "create_prorations":
            account.pending_lines.setdefault(subscription.id, []).extend(result.lines)
        return
    invoicing.keep(account, invoice)
    lifecycle.finalize_and_collect(account, invoice)


def _check_payment(account: Account, subscription: Subscription, invoice: Invoice) -> None:
    method = invoicing.default_card(account, subscription.id)
    if invoice.amount_due == 0:
        return
    outcome = None if method is None else card_of(method).outcome(on_session=False, authenticated=False)
    if outcome is not Outcome.SUCCEEDED:
        requires_action = outcome is Outcome.ACTION_REQUIRED
        raise ApiError(
            message="The payment requires the customer's confirmation."
            if requires_action
            else "Your card was declined.",
            status=402,
            type="card_error",
            code="subscription_payment_intent_requires_action" if requires_action else "card_declined",
            decline_code=card_of(method).decline_code if method else None,
        )


def preview(account: Account, subscription: Subscription, change: Change) -> Invoice:
    """Return the next invoice as it would be after a change: the one made at once, or that of the next renewal."""
    tried = copy.deepcopy(subscription)
    result = reprice(account, tried, change)
    if result.at_once:
        made = invoicing.draft(account, tried, result.lines, "subscription_update", proration_date=change.at)
    else:
        pending = copy.deepcopy(account.pending_lines.get(subscription.id, [])) + result.lines
        with account.clock.holding(tried.period_end):
            lines = lifecycle.renewal_lines(account, tried, pending)
            made = invoicing.draft(account, tried, lines, "upcoming", proration_date=change.at)
    made.id = f"upcoming_{made.id}"
    return made


def unused(account: Account, subscription: Subscription) -> list[InvoiceLine]:
    """Return the credit for the rest of the period."""
    return _prorations(account, subscription.items, account.now, credit=True)


def restarted(account: Account, subscription: Subscription) -> list[InvoiceLine]:
    """Begin a new period now, and return its lines."""
    subscription.billing_cycle_anchor = account.now
    return _restart(account, subscription, account.now)
