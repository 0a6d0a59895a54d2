"""Each history of a subscription in the App Store, and the state that the application stores."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest

from app.apple_iap.snapshot import moment
from app.dev.servers.app_store.store import AppStore
from app.dev.servers.app_store.subscriptions import GRACE_PERIOD, MONTH, RETRY_PERIOD, Subscription, Subscriptions
from app.dev.servers.fake_http import Delivery
from app.payments.models import Subscription as Stored
from app.payments.port import SubscriptionStatus as Status
from tests.apple_iap.conftest import Postman
from tests.payments.store_purchases import ENTERPRISE, MONTHLY, YEARLY

type Step = Callable[[Subscriptions, Subscription], None]

DAY: Final = timedelta(days=1)


def later(duration: timedelta) -> Step:
    return lambda state, _item: state.advance(duration)


def change(name: str, product: str) -> Step:
    return lambda state, item: getattr(state, name)(item, product)


RENEWAL: Final = later(MONTH + DAY)
GRACE: Final = (Subscriptions.decline_payments, RENEWAL)
RETRY: Final = (*GRACE, later(GRACE_PERIOD))


async def stored_after(postman: Postman, item: Subscription, *steps: Step) -> Stored:
    """Return the stored subscription after the steps, and check the dates that always hold.

    Only the last notification arrives: each leads to the current state.
    """
    for step in steps:
        with postman.store.changing() as state:
            step(state, item)
    await postman.deliver(postman.mailbag[-1:])
    stored = await postman.stored(item)
    assert stored is not None
    assert (stored.period_start, stored.period_end) == (whole(item.purchased), whole(item.expires))
    assert (stored.product, stored.quantity, stored.provider_id) == (item.product, 1, item.original_id)
    return stored


def whole(at: datetime | None) -> datetime | None:
    """Return a time as the App Store writes it, in milliseconds."""
    return at and moment(int(at.timestamp() * 1000))


@pytest.fixture
def item(postman: Postman, app_store: AppStore) -> Subscription:  # noqa: ARG001 - the order matters
    with app_store.changing() as state:
        return state.buy(MONTHLY)


@pytest.mark.parametrize(
    ("steps", "status", "plan"),
    [
        ((), Status.ACTIVE, "pro"),
        ((RENEWAL,), Status.ACTIVE, "pro"),
        ((Subscriptions.cancel,), Status.CANCELLED, "pro"),
        ((Subscriptions.cancel, Subscriptions.resume), Status.ACTIVE, "pro"),
        ((Subscriptions.cancel, RENEWAL, Subscriptions.resubscribe), Status.ACTIVE, "pro"),
        ((change("upgrade", ENTERPRISE),), Status.ACTIVE, "enterprise"),
        ((change("upgrade", ENTERPRISE), change("downgrade", MONTHLY)), Status.ACTIVE, "enterprise"),
        ((change("upgrade", ENTERPRISE), change("downgrade", MONTHLY), RENEWAL), Status.ACTIVE, "pro"),
        ((change("downgrade", YEARLY), RENEWAL), Status.ACTIVE, "pro"),
        ((*GRACE, Subscriptions.accept_payments), Status.ACTIVE, "pro"),
        ((*RETRY, Subscriptions.accept_payments), Status.ACTIVE, "pro"),
        ((Subscriptions.refund, Subscriptions.reverse_refund), Status.ACTIVE, "pro"),
        ((Subscriptions.decline_refund,), Status.ACTIVE, "pro"),
        ((Subscriptions.raise_price,), Status.ACTIVE, "pro"),
        ((Subscriptions.raise_price, Subscriptions.consent, RENEWAL), Status.ACTIVE, "pro"),
        ((Subscriptions.extend,), Status.ACTIVE, "pro"),
    ],
    ids=range(16),
)
async def test_access_lasts_until_the_end_of_the_paid_period(
    postman: Postman, item: Subscription, steps: tuple[Step, ...], status: Status, plan: str
) -> None:
    stored = await stored_after(postman, item, *steps)

    assert (stored.status, stored.plan) == (status, plan)
    assert stored.access_until == whole(item.expires)
    assert stored.cancel_at_period_end == (status is Status.CANCELLED)
    assert (stored.trial_end, stored.grace_end) == (None, None)


async def test_the_grace_period_gives_access(postman: Postman, item: Subscription) -> None:
    stored = await stored_after(postman, item, *GRACE)

    assert (stored.status, stored.plan) == (Status.PAST_DUE, "pro")
    assert stored.access_until == stored.grace_end == whole(item.expires + GRACE_PERIOD)


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((Subscriptions.cancel, RENEWAL), Status.EXPIRED),
        (RETRY, Status.PAST_DUE),
        ((*RETRY, later(RETRY_PERIOD)), Status.EXPIRED),
        ((Subscriptions.refund,), Status.REFUNDED),
        ((Subscriptions.raise_price, RENEWAL), Status.EXPIRED),
        ((Subscriptions.refund, RENEWAL, Subscriptions.reverse_refund), Status.EXPIRED),
    ],
    ids=["cancelled", "billing retry", "billing retry ended", "refunded", "price refused", "refund reversed too late"],
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
    assert (trial.status, trial.trial_end, trial.access_until) == (
        Status.TRIALING,
        whole(item.expires),
        whole(item.expires),
    )

    paid = await stored_after(postman, item, later(timedelta(days=15)))
    assert (paid.status, paid.trial_end) == (Status.ACTIVE, None)


async def test_an_offer_is_an_active_subscription(postman: Postman) -> None:
    with postman.store.changing() as state:
        item = state.buy(MONTHLY, offer="summer")

    assert (await stored_after(postman, item)).status is Status.ACTIVE


async def test_a_family_member_has_access_until_the_share_ends(postman: Postman) -> None:
    with postman.store.changing() as state:
        item = state.buy(MONTHLY, account="0198f2a8-0000-7000-8000-000000000001", family_shared=True)
    shared = await stored_after(postman, item)
    ended = await stored_after(postman, item, Subscriptions.revoke)

    assert (shared.status, shared.user_id) == (Status.ACTIVE, None)
    # Nothing was paid, hence nothing is refunded.
    assert (ended.status, ended.access_until) == (Status.EXPIRED, None)


async def test_a_product_in_no_plan_gives_no_plan(postman: Postman) -> None:
    with postman.store.changing() as state:
        item = state.buy("com.example.unknown")

    assert (await stored_after(postman, item)).plan is None


@pytest.mark.parametrize("mode", [Delivery.REPEAT, Delivery.REORDER, Delivery.HOLD])
async def test_the_order_of_notifications_does_not_matter(postman: Postman, item: Subscription, mode: Delivery) -> None:
    store = postman.store
    store.set_delivery(mode)
    steps = (*GRACE, Subscriptions.accept_payments, change("upgrade", ENTERPRISE), Subscriptions.cancel)
    for step in steps:
        with store.changing() as state:
            step(state, item)
    store.set_delivery(Delivery.NORMAL)
    events = await postman.deliver()
    stored = await postman.stored(item)

    assert len(events) == len(store.state.notifications)
    assert stored is not None
    assert (stored.status, stored.plan) == (Status.CANCELLED, "enterprise")
    assert stored.access_until == whole(item.expires)
