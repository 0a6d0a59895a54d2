"""Subscriptions."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.api.changes import change_of, order_of
from app.dev.servers.stripe.billing import changes, invoicing, lifecycle, payments
from app.dev.servers.stripe.billing.subscribe import set_cancel_at_period_end, subscribe
from app.dev.servers.stripe.cards import Outcome
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.customers import PaymentMethod
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.subscriptions import PAUSE_BEHAVIORS, PauseCollection, Subscription
from app.dev.servers.stripe.params import Params


def create(call: Call) -> Answer:
    """Create a subscription, and collect its first invoice."""
    order = order_of(call)
    call.params.choice("payment_behavior", ("allow_incomplete", "error_if_incomplete", "default_incomplete"))
    call.params.ignore("off_session", "payment_settings", "proration_behavior", "collection_method")
    call.params.finish()
    return subscribe(call.account, order)


def update(call: Call) -> Answer:
    """Change a subscription: its items, whether it ends, its trial, its pause, its card."""
    subscription, params, account = call.one(Subscription), call.params, call.account
    if subscription.has_ended:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    change = change_of(call, params, subscription)
    metadata, card = call.metadata(subscription.metadata), params.text("default_payment_method")
    ends, description = params.boolean("cancel_at_period_end"), params.text("description")
    cancel_at, trial_end = params.integer("cancel_at"), _trial_end(account, params)
    pause, details = params.group("pause_collection"), params.group("cancellation_details")
    paused = _pause(pause)
    comment, feedback = details.text("comment"), details.text("feedback")
    params.ignore("off_session", "payment_settings", "collection_method", "automatic_tax", "trial_settings")
    params.finish()
    if card is not None and account.find(PaymentMethod, card).customer != subscription.customer:
        raise invalid("The payment method must be attached to the customer.", "default_payment_method")
    if change.items or change.restart:
        changes.apply(account, subscription, change)
    subscription.metadata, subscription.description = metadata, description or subscription.description
    subscription.default_payment_method = card or subscription.default_payment_method
    if ends is not None and ends != subscription.cancel_at_period_end:
        set_cancel_at_period_end(account, subscription, wanted=ends)
    if "cancel_at" in params and ends is None:
        subscription.cancel_at, subscription.cancel_at_period_end = cancel_at, False
        subscription.canceled_at = account.now if cancel_at else None
    if "pause_collection" in params:
        subscription.pause_collection = paused
    subscription.cancellation_details.comment = comment or subscription.cancellation_details.comment
    subscription.cancellation_details.feedback = feedback or subscription.cancellation_details.feedback
    if trial_end is not None:
        _move_trial_end(subscription, trial_end)
    lifecycle.updated(account, subscription)
    if trial_end == account.now and subscription.status == "trialing":
        lifecycle.renew(account, subscription)
    return subscription


def _trial_end(account: Account, params: Params) -> int | None:
    return account.now if params.text("trial_end") == "now" else params.integer("trial_end")


def _pause(params: Params) -> PauseCollection | None:
    behavior = params.choice("behavior", PAUSE_BEHAVIORS)
    resumes_at = params.integer("resumes_at")
    return None if behavior is None else PauseCollection(behavior=behavior, resumes_at=resumes_at)


def _move_trial_end(subscription: Subscription, trial_end: int) -> None:
    if subscription.trial_end is None or subscription.status != "trialing":
        raise invalid("The fake moves only the end of a running trial.", "trial_end")
    subscription.trial_end = subscription.billing_cycle_anchor = trial_end
    for item in subscription.items:
        item.current_period_end = trial_end


def cancel(call: Call) -> Answer:
    """End a subscription now. With `prorate`, unused time becomes credit. Only `invoice_now` invoices metered usage."""
    subscription, params, account = call.one(Subscription), call.params, call.account
    prorate, invoice_now = params.boolean("prorate") is True, params.boolean("invoice_now") is True
    details = params.group("cancellation_details")
    comment, feedback = details.text("comment"), details.text("feedback")
    params.finish()
    if subscription.has_ended:
        raise invalid(f"No such subscription: '{subscription.id}'", "id", code="resource_missing")
    subscription.cancellation_details.comment = comment
    subscription.cancellation_details.feedback = feedback
    lines = changes.unused(account, subscription) if prorate else []
    lines += lifecycle.usage_lines(account, subscription)
    lifecycle.end(account, subscription, reason="cancellation_requested")
    if invoice_now:
        lifecycle.invoice_end(account, subscription, lines)
    return subscription


def pause(call: Call) -> Answer:
    """Pause a subscription: it gives nothing and costs nothing until it is resumed."""
    subscription = call.one(Subscription)
    call.params.choice("type", ("subscription",))
    call.params.ignore("bill_for", "invoicing_behavior")
    call.params.finish()
    if subscription.status not in {"active", "trialing"}:
        raise invalid(f"A subscription that is {subscription.status} cannot be paused.")
    lifecycle.pause(call.account, subscription, "pause_requested")
    return subscription


def resume(call: Call) -> Answer:
    """Resume a paused subscription: a new period begins, and it becomes active when that is paid."""
    subscription, account = call.one(Subscription), call.account
    call.params.group("billing_cycle_anchor").choice("type", ("now",))
    call.params.ignore("payment_behavior", "proration_behavior")
    call.params.finish()
    if subscription.status != "paused":
        raise invalid("The subscription is not paused.")
    lines = changes.restarted(account, subscription)
    invoice = invoicing.keep(account, invoicing.draft(account, subscription, lines, "subscription_update"))
    lifecycle.finalize_and_collect(account, invoice)
    return subscription


def listed(call: Call) -> Answer:
    """List subscriptions; those that have ended only with `status=all` or their own status."""
    params = call.params
    customer, status, price = call.customer(), params.text("status"), params.text("price")
    params.ignore("collection_method")

    def keep(one: Subscription) -> bool:
        shown = status == "all" or (one.status == status if status else not one.has_ended)
        shown = shown or (status == "ended" and one.has_ended)
        return shown and customer in {None, one.customer} and price in {None, *(item.price.id for item in one.items)}

    return call.page(Subscription, keep)


def preview(call: Call) -> Answer:
    """Preview the next invoice of a subscription, as it is or with a change."""
    params = call.params
    subscription = call.account.find(Subscription, params.required("subscription"), param="subscription")
    params.ignore("customer", "preview_mode", "automatic_tax")
    change = change_of(call, params.group("subscription_details"), subscription)
    params.finish()
    return changes.preview(call.account, subscription, change)


def pay(call: Call) -> Answer:
    """Pay an open invoice.

    Raises:
        ApiError: the card is declined, or the bank wants a confirmation.
    """
    invoice, params, account = call.one(Invoice), call.params, call.account
    method = params.text("payment_method")
    params.ignore("off_session")
    params.finish()
    if invoice.status != "open":
        raise invalid(f"Invoice is already {invoice.status}.", code="invoice_not_editable")
    charged = lifecycle.collect(account, invoice, method=account.find(PaymentMethod, method) if method else None)
    if charged.outcome is not Outcome.SUCCEEDED and charged.intent is not None:
        raise payments.card_error(charged.intent)
    return invoice
