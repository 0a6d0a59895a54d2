"""Let the account catch up with its clock: renewals, retries and expirations, each at its own time."""

from collections.abc import Callable, Iterator
from functools import partial

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import invoicing, lifecycle
from app.dev.servers.stripe.billing.periods import DAY, later
from app.dev.servers.stripe.objects.events import Event
from app.dev.servers.stripe.objects.hosted import CheckoutSession
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.subscriptions import Subscription

type Step = tuple[int, Callable[[], None]]

TRIAL_NOTICE_SECONDS = 3 * DAY


def catch_up(account: Account) -> int:
    """Do everything that is due, in the order of time; return the number of steps."""
    target, count = account.now, 0
    while True:
        due = min(_due(account), key=lambda step: step[0], default=None)
        if due is None or due[0] > target:
            return count
        with account.clock.holding(due[0]):
            due[1]()
        count += 1


def advance(account: Account, step: str) -> list[Event]:
    """Move the clock forward, and return the events of that time.

    Args:
        step: like `+1month`.

    Raises:
        ApiError: the step has another form.
    """
    before = len(account.all(Event))
    now = account.now
    account.clock.offset += later(now, step) - now
    catch_up(account)
    return account.all(Event)[before:]


def _due(account: Account) -> Iterator[Step]:
    for session in account.all(CheckoutSession):
        if session.status == "open":
            yield session.expires_at, partial(expire, account, session)
    for subscription in account.all(Subscription):
        yield from _due_of_subscription(account, subscription)
    for invoice in account.all(Invoice):
        if invoice.status == "draft" and invoice.automatically_finalizes_at is not None:
            yield invoice.automatically_finalizes_at, partial(lifecycle.finalize_and_collect, account, invoice)
        elif invoice.status == "open" and invoice.next_payment_attempt is not None:
            yield invoice.next_payment_attempt, partial(_retry, account, invoice)


def _due_of_subscription(account: Account, subscription: Subscription) -> Iterator[Step]:
    if subscription.has_ended or subscription.status == "paused":
        return
    if subscription.status == "incomplete":
        yield subscription.created + lifecycle.FIRST_PAYMENT_SECONDS, partial(_expire, account, subscription)
        return
    yield subscription.period_end, partial(lifecycle.renew, account, subscription)
    if subscription.cancel_at is not None and not subscription.cancel_at_period_end:
        yield subscription.cancel_at, partial(lifecycle.end, account, subscription, reason="cancellation_requested")
    if subscription.status == "trialing" and subscription.id not in account.announced_trials:
        yield (subscription.trial_end or 0) - TRIAL_NOTICE_SECONDS, partial(_announce, account, subscription)
    pause = subscription.pause_collection
    if pause is not None and pause.resumes_at is not None:
        yield pause.resumes_at, partial(_resume_collection, account, subscription)


def _retry(account: Account, invoice: Invoice) -> None:
    lifecycle.collect(account, invoice)


def _announce(account: Account, subscription: Subscription) -> None:
    account.announced_trials.add(subscription.id)
    account.emit("customer.subscription.trial_will_end", subscription)


def _expire(account: Account, subscription: Subscription) -> None:
    subscription.status, subscription.ended_at = "incomplete_expired", account.now
    for invoice in account.all(Invoice):
        if invoice.subscription == subscription.id and invoice.status == "open":
            invoicing.void(account, invoice)
    lifecycle.updated(account, subscription)


def _resume_collection(account: Account, subscription: Subscription) -> None:
    subscription.pause_collection = None
    lifecycle.updated(account, subscription)


def expire(account: Account, session: CheckoutSession) -> None:
    """Close a checkout that wasn't completed."""
    session.status, session.url = "expired", None
    account.emit("checkout.session.expired", session)
