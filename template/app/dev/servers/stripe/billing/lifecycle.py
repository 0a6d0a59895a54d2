"""The life cycle of a subscription: start, renewal, payment, failure, end."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import invoicing
from app.dev.servers.stripe.billing.discounts import end_discounts
from app.dev.servers.stripe.billing.periods import day_text, period_end
from app.dev.servers.stripe.billing.usage import used
from app.dev.servers.stripe.cards import Outcome
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.customers import Customer, PaymentMethod
from app.dev.servers.stripe.objects.invoices import Invoice, InvoiceLine, Period
from app.dev.servers.stripe.objects.subscriptions import CancellationReason, Subscription, SubscriptionItem

HOUR = 3600
FIRST_PAYMENT_SECONDS = 23 * HOUR
"""After this time, a subscription whose first invoice isn't paid expires."""


def updated(account: Account, subscription: Subscription) -> None:
    """Announce that a subscription changed."""
    account.emit("customer.subscription.updated", subscription)


def start(account: Account, subscription: Subscription, *, on_session: bool, authenticated: bool) -> Invoice:
    """Invoice the first period of a new subscription and try to collect the payment.

    The status becomes `trialing`, `active`, or `incomplete` if the payment failed.
    """
    account.add(subscription)
    now = account.now
    is_trial = subscription.trial_end is not None
    if is_trial:
        lines = [_trial_line(account, item) for item in subscription.items]
    else:
        lines = [_period_line(account, item) for item in subscription.items if not item.price.is_metered]
    subscription.status = "trialing" if is_trial else "incomplete"
    invoice = invoicing.keep(account, invoicing.draft(account, subscription, lines, "subscription_create"))
    account.emit("customer.subscription.created", subscription)
    invoicing.finalize(account, invoice)
    charged = invoicing.collect(account, invoice, on_session=on_session, authenticated=authenticated)
    if charged.outcome is Outcome.SUCCEEDED and not is_trial:
        subscription.status = "active"
        end_discounts(account, subscription)
        updated(account, subscription)
    customer = account.find(Customer, subscription.customer)
    customer.currency = customer.currency or subscription.currency
    subscription.start_date = now
    return invoice


def _period_line(account: Account, item: SubscriptionItem) -> InvoiceLine:
    quantity = item.quantity or 0
    amount = item.price.amount_of(quantity)
    period = Period(start=item.current_period_start, end=item.current_period_end)
    text = f"{quantity} x {invoicing.product_name(account, item)}"
    return invoicing.line(account, item, amount, period, text)


def _trial_line(account: Account, item: SubscriptionItem) -> InvoiceLine:
    period = Period(start=item.current_period_start, end=item.current_period_end)
    return invoicing.line(account, item, 0, period, f"Trial period for {invoicing.product_name(account, item)}")


def usage_line(account: Account, item: SubscriptionItem, customer: str, until: int) -> InvoiceLine:
    """Return the line for the usage of a metered item in its period, until before a time."""
    period = Period(start=max(item.current_period_start, item.metered_from), end=until)
    quantity = used(account, item.price, customer, period.start, period.end)
    text = f"{quantity} x {invoicing.product_name(account, item)} (used until {day_text(period.end)})"
    made = invoicing.line(account, item, item.price.amount_of(quantity), period, text)
    made.quantity = quantity
    return made


def usage_lines(account: Account, subscription: Subscription) -> list[InvoiceLine]:
    """Return the lines for the metered usage of the current period. A trial's usage is free."""
    if subscription.status == "trialing":
        return []
    return [
        usage_line(account, item, subscription.customer, item.current_period_end)
        for item in subscription.items
        if item.price.is_metered
    ]


def invoice_end(account: Account, subscription: Subscription, lines: list[InvoiceLine]) -> None:
    """Make the final invoice of a subscription that has ended, if there is anything to pay or to credit."""
    if any(line.amount for line in lines):
        invoice = invoicing.draft(account, subscription, lines, "subscription_update")
        finalize_and_collect(account, invoicing.keep(account, invoice))


def renewal_lines(account: Account, subscription: Subscription, pending: list[InvoiceLine]) -> list[InvoiceLine]:
    """Move the items to their next period and return the lines of the renewal.

    Metered usage is invoiced for the period that ends, everything else for the one that begins.
    """
    lines = [*pending, *usage_lines(account, subscription)]
    for item in subscription.items:
        item.current_period_start = item.current_period_end
        item.current_period_end = period_end(item.current_period_start, item.price, subscription.billing_cycle_anchor)
        if not item.price.is_metered:
            lines.append(_period_line(account, item))
    return lines


def renew(account: Account, subscription: Subscription) -> None:
    """Begin the next period, at its time: end the subscription, or make the next invoice."""
    if subscription.cancel_at_period_end:
        lines = usage_lines(account, subscription)
        end(account, subscription, reason="cancellation_requested")
        invoice_end(account, subscription, lines)
        return
    has_card = invoicing.default_card(account, subscription.id) is not None
    if subscription.status == "trialing" and not has_card and _end_without_card(account, subscription):
        return
    lines = renewal_lines(account, subscription, account.pending_lines.pop(subscription.id, []))
    if subscription.status == "trialing":
        subscription.status = "active"
    invoice = invoicing.draft(account, subscription, lines, "subscription_cycle")
    invoicing.keep(account, invoice)
    updated(account, subscription)
    pause = subscription.pause_collection
    if pause is not None or subscription.status == "unpaid":
        invoice.auto_advance = False
        if pause is not None and pause.behavior != "keep_as_draft":
            invoicing.finalize(account, invoice)
            _set_aside(account, invoice, voided=pause.behavior == "void")
        return
    invoice.automatically_finalizes_at = account.now + HOUR


def _set_aside(account: Account, invoice: Invoice, *, voided: bool) -> None:
    if voided:
        invoicing.void(account, invoice)
        return
    invoice.status, invoice.status_transitions.marked_uncollectible_at = "uncollectible", account.now
    account.emit("invoice.marked_uncollectible", invoice)


def _end_without_card(account: Account, subscription: Subscription) -> bool:
    """Do what the subscription's settings say of a trial that ends without a card; return whether it stops."""
    behavior = subscription.trial_settings.end_behavior.missing_payment_method
    if behavior == "cancel":
        end(account, subscription, reason=None)
    elif behavior == "pause":
        pause(account, subscription, "trial_end_without_payment_method")
    return behavior != "create_invoice"


def pause(account: Account, subscription: Subscription, why: str) -> None:
    """Stop a subscription until it is resumed."""
    details: Json = {"subscription": {"type": why}, "transitioned_at": account.now, "type": "subscription"}
    subscription.status, subscription.status_details = "paused", {"paused": details}
    account.emit("customer.subscription.paused", subscription)
    updated(account, subscription)


def finalize_and_collect(account: Account, invoice: Invoice) -> None:
    """Open the draft of a renewal and collect its payment."""
    invoicing.finalize(account, invoice)
    collect(account, invoice)


def collect(
    account: Account,
    invoice: Invoice,
    *,
    on_session: bool = False,
    authenticated: bool = False,
    method: PaymentMethod | None = None,
) -> invoicing.Charged:
    """Try to collect an invoice, and let the subscription's status follow from the result."""
    subscription = account.find(Subscription, invoice.subscription)
    charged = invoicing.collect(account, invoice, on_session=on_session, authenticated=authenticated, method=method)
    if charged.outcome is Outcome.SUCCEEDED:
        _recover(account, subscription, invoice)
    elif not subscription.has_ended and subscription.status not in {"incomplete", "paused"}:
        _fail(account, subscription, invoice)
    return charged


def _recover(account: Account, subscription: Subscription, invoice: Invoice) -> None:
    end_discounts(account, subscription)
    newest = subscription.latest_invoice == invoice.id
    if newest and subscription.status in {"incomplete", "past_due", "unpaid"}:
        subscription.status = "active"
        updated(account, subscription)
    elif newest and subscription.status == "paused":
        subscription.status, subscription.status_details = "active", None
        account.emit("customer.subscription.resumed", subscription)
        updated(account, subscription)
    customer = account.find(Customer, subscription.customer)
    customer.delinquent = False


def _fail(account: Account, subscription: Subscription, invoice: Invoice) -> None:
    account.find(Customer, subscription.customer).delinquent = True
    if invoice.next_payment_attempt is not None or invoice.billing_reason != "subscription_cycle":
        if subscription.status != "past_due":
            subscription.status = "past_due"
            updated(account, subscription)
    elif account.dunning.then == "canceled":
        end(account, subscription, reason="payment_failed")
    elif account.dunning.then == "unpaid":
        subscription.status = "unpaid"
        updated(account, subscription)


def end(account: Account, subscription: Subscription, *, reason: CancellationReason | None) -> None:
    """End a subscription now. Invoices that are open stay so, and are no longer collected."""
    now = account.now
    subscription.status, subscription.ended_at = "canceled", now
    subscription.canceled_at = subscription.canceled_at or now
    subscription.cancellation_details.reason = reason or subscription.cancellation_details.reason
    account.pending_lines.pop(subscription.id, None)
    for invoice in account.all(Invoice):
        if invoice.subscription == subscription.id and invoice.status in {"draft", "open"}:
            invoice.auto_advance = False
            invoice.next_payment_attempt = invoice.automatically_finalizes_at = None
    account.emit("customer.subscription.deleted", subscription)
