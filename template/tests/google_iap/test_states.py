"""Each history of a subscription in Google Play, and the state that the application stores."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest

from app.dev.servers.fake_http import Delivery
from app.dev.servers.google_play.objects import Subscription
from app.dev.servers.google_play.store import GooglePlay
from app.dev.servers.google_play.subscriptions import GRACE_PERIOD, HOLD, MONTH, PAUSE, Subscriptions
from app.payments.models import Subscription as Stored
from app.payments.port import SubscriptionStatus as Status
from tests.google_iap.conftest import Postman
from tests.payments.store_purchases import MONTHLY

type Step = Callable[[Subscriptions, Subscription], object]

DAY: Final = timedelta(days=1)


def later(duration: timedelta) -> Step:
    return lambda state, _item: state.advance(duration)


def acknowledge(_state: Subscriptions, item: Subscription) -> None:
    item.acknowledged = True


RENEWAL: Final = later(MONTH + DAY)
GRACE: Final = (Subscriptions.decline_payments, RENEWAL)
ON_HOLD: Final = (*GRACE, later(GRACE_PERIOD))
PAUSED: Final = (Subscriptions.pause, RENEWAL)


async def stored_after(postman: Postman, item: Subscription, *steps: Step) -> Stored:
    """Return the stored subscription after the steps. Only the last notification arrives."""
    for step in (acknowledge, *steps):
        with postman.store.changing() as state:
            step(state, item)
    await postman.deliver(postman.mailbag[-1:])
    stored = await postman.stored(item)
    assert stored is not None
    assert (stored.product, stored.quantity) == (item.product, 1)
    return stored


def whole(at: datetime | None) -> datetime | None:
    """Return a time as Google writes it, in milliseconds."""
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


@pytest.fixture
def item(postman: Postman, google_play: GooglePlay) -> Subscription:  # noqa: ARG001 - the order matters
    with google_play.changing() as state:
        return state.buy(MONTHLY)


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((), Status.ACTIVE),
        ((RENEWAL,), Status.ACTIVE),
        ((Subscriptions.cancel,), Status.CANCELLED),
        ((Subscriptions.cancel, Subscriptions.restore), Status.ACTIVE),
        ((*GRACE, Subscriptions.accept_payments), Status.ACTIVE),
        ((*ON_HOLD, Subscriptions.accept_payments), Status.ACTIVE),
        ((Subscriptions.pause,), Status.ACTIVE),
        ((*PAUSED, later(PAUSE)), Status.ACTIVE),
        ((Subscriptions.extend,), Status.ACTIVE),
    ],
    ids=range(9),
)
async def test_access_lasts_until_the_end_of_the_paid_period(
    postman: Postman, item: Subscription, steps: tuple[Step, ...], status: Status
) -> None:
    stored = await stored_after(postman, item, *steps)

    assert (stored.status, stored.plan) == (status, "pro")
    assert stored.access_until == stored.period_end == whole(item.expires)
    assert stored.cancel_at_period_end == (status is Status.CANCELLED)
    assert (stored.trial_end, stored.grace_end) == (None, None)


async def test_the_grace_period_gives_access(postman: Postman, item: Subscription) -> None:
    await stored_after(postman, item)
    stored = await stored_after(postman, item, *GRACE)

    assert (stored.status, stored.plan) == (Status.PAST_DUE, "pro")
    assert stored.access_until == stored.grace_end == whole(item.expires)
    # What was paid ended before.
    assert stored.period_end == whole(item.paid_until) != stored.access_until


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (ON_HOLD, Status.PAST_DUE),
        ((*ON_HOLD, later(HOLD)), Status.EXPIRED),
        ((Subscriptions.cancel, RENEWAL), Status.EXPIRED),
        (PAUSED, Status.PAUSED),
        ((Subscriptions.revoke,), Status.EXPIRED),
        ((Subscriptions.charge_back,), Status.REFUNDED),
    ],
    ids=["on hold", "on hold too long", "cancelled", "paused", "revoked", "charged back"],
)
async def test_without_a_payment_there_is_no_access(
    postman: Postman, item: Subscription, steps: tuple[Step, ...], status: Status
) -> None:
    stored = await stored_after(postman, item, *steps)

    assert (stored.status, stored.access_until, stored.grace_end) == (status, None, None)
    assert not stored.cancel_at_period_end


async def test_without_a_grace_period_a_failed_payment_ends_access(postman: Postman, item: Subscription) -> None:
    postman.store.state.grace_enabled = False
    stored = await stored_after(postman, item, *GRACE)

    assert (stored.status, stored.access_until) == (Status.PAST_DUE, None)


async def test_a_trial_has_an_end(postman: Postman) -> None:
    with postman.store.changing() as state:
        item = state.buy(MONTHLY, trial=True)
    trial = await stored_after(postman, item)
    assert (trial.status, trial.trial_end) == (Status.TRIALING, trial.access_until)

    paid = await stored_after(postman, item, later(timedelta(days=15)))
    assert (paid.status, paid.trial_end) == (Status.ACTIVE, None)


async def test_a_pending_purchase_gives_nothing_until_it_is_paid(postman: Postman) -> None:
    item = postman.store.state.buy(MONTHLY, pending=True)
    with postman.store.changing() as state:
        state.notify(4, item)
    pending = await stored_after(postman, item)
    paid = await stored_after(postman, item, Subscriptions.complete_payment)

    assert (pending.status, pending.access_until) == (Status.PENDING, None)
    assert (paid.status, paid.access_until) == (Status.ACTIVE, whole(item.expires))


async def test_a_pending_purchase_may_be_cancelled(postman: Postman) -> None:
    item = postman.store.state.buy(MONTHLY, pending=True)
    stored = await stored_after(postman, item, Subscriptions.cancel_payment)

    assert (stored.status, stored.access_until) == (Status.EXPIRED, None)


async def test_a_prepaid_subscription_does_not_renew(postman: Postman) -> None:
    with postman.store.changing() as state:
        item = state.buy(MONTHLY, prepaid=True)
    paid = await stored_after(postman, item)
    ended = await stored_after(postman, item, RENEWAL)

    assert (paid.status, paid.cancel_at_period_end) == (Status.ACTIVE, True)
    assert (ended.status, ended.access_until) == (Status.EXPIRED, None)


async def test_each_period_begins_where_the_last_one_ended(postman: Postman, item: Subscription) -> None:
    periods = []
    for steps in ((), (RENEWAL,), (later(MONTH),)):
        stored = await stored_after(postman, item, *steps)
        periods.append((stored.period_start, stored.period_end))

    assert periods[0][0] == whole(item.started)
    assert [end for _, end in periods[:2]] == [start for start, _ in periods[1:]]


async def test_a_product_in_no_plan_gives_no_plan(postman: Postman) -> None:
    with postman.store.changing() as state:
        item = state.buy("com.example.unknown")

    assert (await stored_after(postman, item)).plan is None


async def test_a_token_that_was_forgotten_has_ended(postman: Postman, item: Subscription) -> None:
    await stored_after(postman, item)
    postman.store.state.items.clear()
    with postman.store.changing() as state:
        state.notify(13, item)
    await postman.deliver()
    stored = await postman.stored(item)

    assert stored is not None
    assert (stored.status, stored.access_until) == (Status.EXPIRED, None)


@pytest.mark.parametrize("mode", [Delivery.REPEAT, Delivery.REORDER, Delivery.HOLD])
async def test_the_order_of_notifications_does_not_matter(postman: Postman, item: Subscription, mode: Delivery) -> None:
    store = postman.store
    store.set_delivery(mode)
    for step in (acknowledge, *GRACE, Subscriptions.accept_payments, Subscriptions.cancel):
        with store.changing() as state:
            step(state, item)
    store.set_delivery(Delivery.NORMAL)
    events = await postman.deliver()
    stored = await postman.stored(item)

    assert len(events) == len(store.state.messages)
    assert stored is not None
    assert (stored.status, stored.access_until) == (Status.CANCELLED, whole(item.expires))
