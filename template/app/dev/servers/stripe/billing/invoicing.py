"""Make invoices, finalise them and collect their payment."""

from dataclasses import dataclass

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import payments
from app.dev.servers.stripe.billing.discounts import take_discounts
from app.dev.servers.stripe.billing.periods import DAY
from app.dev.servers.stripe.cards import Outcome
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.catalog import Product
from app.dev.servers.stripe.objects.customers import Customer, PaymentMethod
from app.dev.servers.stripe.objects.invoices import (
    BillingReason,
    Invoice,
    InvoiceLine,
    InvoiceParent,
    InvoicePayment,
    LineParent,
    Period,
    PriceDetails,
    Pricing,
    SubscriptionDetails,
    SubscriptionItemDetails,
)
from app.dev.servers.stripe.objects.payments import PaymentIntent
from app.dev.servers.stripe.objects.subscriptions import Subscription, SubscriptionItem


@dataclass(kw_only=True)
class Charged:
    """The outcome of an attempt to pay an invoice."""

    outcome: Outcome
    intent: PaymentIntent | None = None


def line(
    account: Account, item: SubscriptionItem, amount: int, period: Period, text: str, *, proration: bool = False
) -> InvoiceLine:
    """Return a line for an item of a subscription."""
    return InvoiceLine(
        id=account.new_id("il"),
        amount=amount,
        currency=item.price.currency,
        description=text,
        discountable=not proration,
        invoice=None,
        parent=LineParent(
            subscription_item_details=SubscriptionItemDetails(
                subscription=item.subscription, subscription_item=item.id, proration=proration
            )
        ),
        period=period,
        pricing=Pricing(
            price_details=PriceDetails(price=item.price.id, product=item.price.product),
            unit_amount_decimal=item.price.unit_amount_decimal,
        ),
        quantity=item.quantity,
        subscription=item.subscription,
        subtotal=amount,
    )


def product_name(account: Account, item: SubscriptionItem) -> str:
    """Return the name of what an item sells."""
    return account.find(Product, item.price.product).name


def draft(
    account: Account,
    subscription: Subscription,
    lines: list[InvoiceLine],
    reason: BillingReason,
    *,
    proration_date: int | None = None,
) -> Invoice:
    """Return an invoice for lines of a subscription. It isn't kept yet."""
    customer = account.find(Customer, subscription.customer)
    subtotal = sum(one.amount for one in lines)
    discounts = take_discounts(account, subscription, lines)
    total = subtotal - sum(one.amount for one in discounts)
    due = max(0, total + customer.balance)
    invoice_id = account.new_id(Invoice.PREFIX)
    for one in lines:
        one.invoice = invoice_id
    return Invoice(
        id=invoice_id,
        created=account.now,
        amount_due=due,
        amount_remaining=due,
        automatic_tax=_automatic_tax(subscription),
        billing_reason=reason,
        currency=subscription.currency,
        customer=customer.id,
        customer_email=customer.email,
        customer_name=customer.name,
        discounts=list(subscription.discounts),
        lines=lines,
        parent=InvoiceParent(
            subscription_details=SubscriptionDetails(
                metadata=dict(subscription.metadata),
                subscription=subscription.id,
                subscription_proration_date=proration_date,
            )
        ),
        period_end=account.now,
        period_start=subscription.period_start if reason == "subscription_cycle" else account.now,
        starting_balance=customer.balance,
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal,
        total=total,
        total_discount_amounts=discounts,
        total_excluding_tax=total,
    )


def _automatic_tax(subscription: Subscription) -> Json:
    enabled = subscription.automatic_tax.enabled
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": "complete" if enabled else None,
    }


def keep(account: Account, invoice: Invoice) -> Invoice:
    """Keep an invoice, as the latest one of its subscription."""
    account.add(invoice)
    account.find(Subscription, invoice.subscription).latest_invoice = invoice.id
    account.emit("invoice.created", invoice)
    return invoice


def finalize(account: Account, invoice: Invoice) -> None:
    """Open an invoice for payment. Credit of the customer is used up first, and a negative total becomes credit."""
    customer = account.find(Customer, invoice.customer)
    invoice.starting_balance = customer.balance
    due = max(0, invoice.total + customer.balance)
    if customer.balance or invoice.total < 0:
        customer.balance = min(0, invoice.total + customer.balance)
        account.emit("customer.updated", customer)
    invoice.ending_balance = customer.balance
    invoice.amount_due = invoice.amount_remaining = due
    invoice.number = f"{customer.invoice_prefix}-{customer.next_invoice_sequence:04d}"
    customer.next_invoice_sequence += 1
    invoice.status, invoice.automatically_finalizes_at = "open", None
    invoice.status_transitions.finalized_at = invoice.effective_at = account.now
    invoice.hosted_invoice_url = f"{account.base_url}/invoice/{invoice.id}"
    invoice.invoice_pdf = f"{account.base_url}/invoice/{invoice.id}/pdf"
    account.emit("invoice.finalized", invoice)


def collect(
    account: Account,
    invoice: Invoice,
    *,
    on_session: bool = False,
    authenticated: bool = False,
    method: PaymentMethod | None = None,
) -> Charged:
    """Try to collect the payment of an open invoice.

    Args:
        on_session: whether the customer is at the screen.
        authenticated: whether the customer has just confirmed the payment with the bank.
        method: the card to charge, if not the subscription's or the customer's own.
    """
    invoice.attempted, invoice.next_payment_attempt = True, None
    if invoice.amount_due == 0:
        _paid(account, invoice, None)
        return Charged(outcome=Outcome.SUCCEEDED)
    payment = invoice.payments[0] if invoice.payments else _payment(account, invoice)
    intent = account.find(PaymentIntent, str(payment.payment["payment_intent"]))
    outcome = payments.attempt(
        account,
        intent,
        method or default_card(account, invoice.subscription),
        on_session=on_session,
        authenticated=authenticated,
    )
    invoice.attempt_count += 1
    if outcome is Outcome.SUCCEEDED:
        _paid(account, invoice, payment)
        return Charged(outcome=outcome, intent=intent)
    retries = account.dunning.retry_days
    if invoice.billing_reason == "subscription_cycle" and invoice.attempt_count <= len(retries):
        invoice.next_payment_attempt = account.now + retries[invoice.attempt_count - 1] * DAY
    if outcome is Outcome.ACTION_REQUIRED:
        account.emit("invoice.payment_action_required", invoice)
    account.emit("invoice.payment_failed", invoice)
    return Charged(outcome=outcome, intent=intent)


def _payment(account: Account, invoice: Invoice) -> InvoicePayment:
    intent = payments.new_intent(
        account,
        customer=invoice.customer,
        amount=invoice.amount_due,
        currency=invoice.currency,
        description="Subscription creation"
        if invoice.billing_reason == "subscription_create"
        else "Subscription update",
    )
    payment = InvoicePayment(
        id=account.new_id(InvoicePayment.PREFIX),
        created=account.now,
        amount_paid=None,
        amount_requested=invoice.amount_due,
        currency=invoice.currency,
        invoice=invoice.id,
        payment={"payment_intent": intent.id, "type": "payment_intent"},
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
    )
    invoice.payments.append(account.add(payment))
    return payment


def _paid(account: Account, invoice: Invoice, payment: InvoicePayment | None) -> None:
    invoice.status, invoice.amount_paid, invoice.amount_remaining = "paid", invoice.amount_due, 0
    invoice.status_transitions.paid_at = account.now
    if payment is not None:
        payment.status, payment.amount_paid = "paid", invoice.amount_due
        payment.status_transitions = {"canceled_at": None, "paid_at": account.now}
        account.emit("invoice_payment.paid", payment)
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)


def default_card(account: Account, subscription_id: str) -> PaymentMethod | None:
    """Return the card that pays for a subscription."""
    subscription = account.find(Subscription, subscription_id)
    customer = account.find(Customer, subscription.customer)
    return account.get(PaymentMethod, subscription.default_payment_method) or account.get(
        PaymentMethod, customer.invoice_settings.default_payment_method
    )


def void(account: Account, invoice: Invoice) -> None:
    """Declare an invoice invalid."""
    invoice.status, invoice.status_transitions.voided_at = "void", account.now
    invoice.next_payment_attempt = invoice.automatically_finalizes_at = None
    account.emit("invoice.voided", invoice)
