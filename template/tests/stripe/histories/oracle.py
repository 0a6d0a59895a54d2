"""The paid access, computed from the fake's invoices alone, without the application's code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.objects.catalog import Price
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.payments import Charge, Dispute, PaymentIntent
from app.dev.servers.stripe.objects.subscriptions import Subscription

GRACE_DAYS: Final = 1
GRACE_SECONDS: Final = GRACE_DAYS * 86_400 + 3600
"""The grace period of failed renewals, and the hour that Stripe waits before it collects one."""
RANKS: Final = {"free": 0, "pro": 10, "enterprise": 20}


@dataclass(frozen=True, slots=True)
class Grant:
    """A plan that a user may have for a time."""

    user_id: str
    plan: str
    start: int
    end: int


@dataclass(kw_only=True)
class Oracle:
    """Everything that was paid for, or was free for a trial."""

    grants: set[Grant] = field(default_factory=set)

    def watch(self, account: Account) -> None:
        """Note what has been paid for until now."""
        self.grants.update(_trials(account), _paid(account))

    def may_have(self, account: Account, user_id: str, plan: str, now: int) -> bool:
        """Return whether a user may have a plan: it was paid for, or its renewal is being collected."""
        rank = RANKS[plan]
        held = [one for one in self.grants if one.user_id == user_id and RANKS[one.plan] >= rank]
        if rank == 0 or any(one.start <= now < one.end for one in held):
            return True
        due = {one.parent.subscription_details.subscription for one in _unpaid(account)}
        users = {user for subscription, user in _users(account) if subscription.id in due}
        return user_id in users and any(one.end <= now < one.end + GRACE_SECONDS for one in held)


def must_have(account: Account, user_id: str) -> int:
    """Return the rank that a user must have now: of what is paid, not refunded, and not paused."""
    now, ranks = account.now, [0]
    for subscription, user in _users(account):
        latest = account.get(Invoice, subscription.latest_invoice)
        paid = latest is not None and latest.status == "paid" and not _has_returned(account, subscription)
        runs = subscription.status in {"active", "trialing"} and subscription.pause_collection is None
        if user == user_id and paid and runs and subscription.period_start <= now < subscription.period_end:
            ranks += [RANKS[plan] for item in subscription.items if (plan := _plan(item.price)) is not None]
    return max(ranks)


def must_have_nothing(account: Account, user_id: str) -> bool:
    """Return whether a user must have no plan: every subscription has ended, is paused, or was paid back."""
    for subscription, user in _users(account):
        paid_back = _is_paid_back(account, subscription)
        if user == user_id and not (subscription.has_ended or subscription.status == "paused" or paid_back):
            return False
    return True


def _users(account: Account) -> Iterator[tuple[Subscription, str]]:
    for subscription in account.all(Subscription):
        yield subscription, subscription.metadata.get("user_id", "")


def _trials(account: Account) -> Iterator[Grant]:
    for subscription, user in _users(account):
        if subscription.status == "trialing" and subscription.trial_end is not None:
            for item in subscription.items:
                if (plan := _plan(item.price)) is not None:
                    yield Grant(user, plan, subscription.created, subscription.trial_end)


def _paid(account: Account) -> Iterator[Grant]:
    users = {subscription.id: user for subscription, user in _users(account)}
    for invoice in account.all(Invoice):
        if invoice.status != "paid":
            continue
        for line in invoice.lines:
            plan = _plan(account.find(Price, line.pricing.price_details.price))
            if plan is not None and line.amount > 0:
                yield Grant(users[line.subscription], plan, line.period.start, line.period.end)


def _unpaid(account: Account) -> list[Invoice]:
    return [
        one
        for one in account.all(Invoice)
        if one.status in {"draft", "open"} and one.billing_reason == "subscription_cycle"
    ]


def _is_paid_back(account: Account, subscription: Subscription) -> bool:
    """Return whether the payment of the current period is back."""
    invoice = _invoice_of_the_period(account, subscription)
    return invoice is not None and invoice.status == "paid" and _money_is_back(account, invoice)


def _invoice_of_the_period(account: Account, subscription: Subscription) -> Invoice | None:
    """Return the invoice of the current period itself: the others are of changes within it."""
    invoices = [one for one in account.all(Invoice) if one.subscription == subscription.id]
    current = [one for one in invoices if one.created >= subscription.period_start - 3600]
    periods = [one for one in current if one.billing_reason in {"subscription_create", "subscription_cycle"}]
    return periods[-1] if periods else current[0] if current else None


def _has_returned(account: Account, subscription: Subscription) -> bool:
    """Return whether the payment of a change within the current period is back."""
    invoices = [one for one in account.all(Invoice) if one.subscription == subscription.id]
    current = [one for one in invoices if one.created >= subscription.period_start - 3600]
    return any(one.status == "paid" and _money_is_back(account, one) for one in current)


def _money_is_back(account: Account, invoice: Invoice) -> bool:
    intents = [account.get(PaymentIntent, str(one.payment["payment_intent"])) for one in invoice.payments]
    charges = [account.get(Charge, intent.latest_charge) for intent in intents if intent is not None]
    lost = {one.charge for one in account.all(Dispute) if one.status != "won"}
    return any(charge is not None and (charge.refunded or charge.id in lost) for charge in charges)


def _plan(price: Price) -> str | None:
    plan = (price.lookup_key or "").rpartition("_")[0]
    return plan if plan in RANKS else None
