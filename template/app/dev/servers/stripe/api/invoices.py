"""Invoices, payments, refunds and disputes."""

from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.billing import invoicing, payments
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.invoices import Invoice, InvoicePayment
from app.dev.servers.stripe.objects.payments import REFUND_REASONS, Charge, Dispute, PaymentIntent, Refund
from app.dev.servers.stripe.params import MAX_INTEGER


def listed(call: Call) -> Answer:
    """List invoices."""
    params = call.params
    customer, subscription, status = call.customer(), params.text("subscription"), params.text("status")
    return call.page(
        Invoice,
        lambda one: (
            customer in {None, one.customer}
            and subscription in {None, one.subscription}
            and status in {None, one.status}
        ),
    )


def void(call: Call) -> Answer:
    """Void an open invoice."""
    call.params.finish()
    invoice = call.one(Invoice)
    if invoice.status not in {"open", "uncollectible"}:
        raise invalid(f"You can only void open or uncollectible invoices; this one is {invoice.status}.")
    invoicing.void(call.account, invoice)
    return invoice


def invoice_payments(call: Call) -> Answer:
    """List payments of invoices."""
    invoice, status, part = call.params.text("invoice"), call.params.text("status"), call.params.group("payment")
    intent = part.text("payment_intent")
    part.ignore("type")
    return call.page(
        InvoicePayment,
        lambda one: (
            invoice in {None, one.invoice}
            and status in {None, one.status}
            and intent in {None, one.payment["payment_intent"]}
        ),
    )


def intents(call: Call) -> Answer:
    """List payment intents."""
    customer = call.customer()
    return call.page(PaymentIntent, lambda one: customer in {None, one.customer})


def charges(call: Call) -> Answer:
    """List charges."""
    customer, intent = call.customer(), call.params.text("payment_intent")
    return call.page(Charge, lambda one: customer in {None, one.customer} and intent in {None, one.payment_intent})


def create_refund(call: Call) -> Answer:
    """Give a payment back."""
    params, account = call.params, call.account
    charge_id, intent_id = params.text("charge"), params.text("payment_intent")
    amount = params.integer("amount", least=1, most=MAX_INTEGER)
    reason = params.choice("reason", REFUND_REASONS)
    metadata = call.metadata()
    params.finish()
    if charge_id is None:
        intent = account.find(PaymentIntent, intent_id or "", param="payment_intent")
        charge_id = intent.latest_charge
    charge = account.find(Charge, charge_id or "", param="charge")
    if not charge.paid:
        raise invalid("This charge was not paid and cannot be refunded.", "charge")
    return payments.refund(account, charge, amount, reason, metadata)


def refunds(call: Call) -> Answer:
    """List refunds."""
    charge, intent = call.params.text("charge"), call.params.text("payment_intent")
    return call.page(Refund, lambda one: charge in {None, one.charge} and intent in {None, one.payment_intent})


def disputes(call: Call) -> Answer:
    """List disputes."""
    charge, intent = call.params.text("charge"), call.params.text("payment_intent")
    return call.page(Dispute, lambda one: charge in {None, one.charge} and intent in {None, one.payment_intent})
