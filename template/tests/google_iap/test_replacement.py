"""Purchases that replace others: upgrades, downgrades and subscriptions that are bought again."""

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.runtime import Runtime
from app.dev.servers.google_play.objects import State, Subscription
from app.google_iap.google_play import GooglePlay
from app.payments import reconciliation
from app.payments.models import BillingNotice
from app.payments.port import SubscriptionStatus as Status
from app.payments.reconciliation import reconcile_provider
from tests.conftest import SignIn
from tests.google_iap.conftest import Postman, link
from tests.payments.store_purchases import ENTERPRISE, MONTHLY, identity, plan_of


@pytest.fixture
async def user(client: httpx.AsyncClient, sign_in: SignIn) -> UUID:
    return await identity(client, await sign_in())


async def bought(postman: Postman, account: UUID | None) -> Subscription:
    with postman.store.changing() as state:
        item = state.buy(MONTHLY, account=None if account is None else str(account))
    await postman.deliver()
    return item


async def statuses(postman: Postman, *items: Subscription) -> Sequence[Status | None]:
    rows = [await postman.stored(item) for item in items]
    return [None if row is None else row.status for row in rows]


async def test_the_replaced_purchase_loses_access_at_once(runtime: Runtime, postman: Postman, user: UUID) -> None:
    old = await bought(postman, user)
    with postman.store.changing() as state:
        new = state.replace(old, ENTERPRISE)
    # Only the notification of the new purchase arrives, and Google still calls the old one active.
    old.state, old.replaced, old.expires = State.ACTIVE, False, new.expires
    await postman.deliver(postman.mailbag[:1])

    assert await statuses(postman, old, new) == [Status.EXPIRED, Status.ACTIVE]
    assert await plan_of(runtime, user) == "enterprise"
    stored = await postman.stored(old)
    assert stored is not None
    assert stored.access_until is None


async def test_an_upgrade_sends_no_notice_of_an_end(runtime: Runtime, postman: Postman, user: UUID) -> None:
    old = await bought(postman, user)
    with postman.store.changing() as state:
        new = state.replace(old, ENTERPRISE)
    await postman.deliver(postman.mailbag[:1])
    assert await _notices(runtime) == []

    with postman.store.changing() as state:
        state.revoke(new)
    await postman.deliver()
    assert [key.split("/")[0] for key in await _notices(runtime)] == ["ended"]


async def _notices(runtime: Runtime) -> Sequence[str]:
    async with runtime.database.reading() as session:
        return (await session.scalars(select(col(BillingNotice.key)))).all()


async def test_a_chain_ends_as_a_whole(runtime: Runtime, postman: Postman, user: UUID) -> None:
    items = [await bought(postman, user)]
    with postman.store.changing() as state:
        for product in (ENTERPRISE, MONTHLY, ENTERPRISE):
            items.append(state.replace(items[-1], product))
    last = next(push for push in reversed(postman.mailbag) if items[-1].token in _data(push[1]))
    for item in items:
        item.state, item.replaced = State.ACTIVE, False
    await postman.deliver([last])

    assert await statuses(postman, *items) == [*[Status.EXPIRED] * 3, Status.ACTIVE]
    assert await plan_of(runtime, user) == "enterprise"


def _data(body: bytes) -> str:
    return base64.b64decode(json.loads(body)["message"]["data"]).decode()


async def test_a_pending_replacement_changes_nothing_until_it_is_paid(
    runtime: Runtime, postman: Postman, user: UUID
) -> None:
    old = await bought(postman, user)
    with postman.store.changing() as state:
        new = state.replace(old, ENTERPRISE, pending=True)
        state.notify(4, new)
    await postman.deliver()
    assert await statuses(postman, old, new) == [Status.ACTIVE, Status.PENDING]
    assert await plan_of(runtime, user) == "pro"

    with postman.store.changing() as state:
        state.complete_payment(new)
    await postman.deliver()
    assert await statuses(postman, old, new) == [Status.EXPIRED, Status.ACTIVE]


async def test_a_cancelled_replacement_leaves_the_old_purchase(runtime: Runtime, postman: Postman, user: UUID) -> None:
    old = await bought(postman, user)
    with postman.store.changing() as state:
        new = state.replace(old, ENTERPRISE, pending=True)
        state.cancel_payment(new)
    await postman.deliver()

    assert await statuses(postman, old, new) == [Status.ACTIVE, Status.EXPIRED]
    assert await plan_of(runtime, user) == "pro"


async def test_a_link_ends_the_replaced_purchase(client: httpx.AsyncClient, sign_in: SignIn, postman: Postman) -> None:
    headers = await sign_in()
    old = postman.store.state.buy(MONTHLY)
    await link(client, headers, old.token)
    new = postman.store.state.replace(old, ENTERPRISE)
    response = await link(client, headers, new.token)

    assert response.json()["plan"] == "enterprise"
    assert await statuses(postman, old, new) == [Status.EXPIRED, Status.ACTIVE]


@pytest.mark.parametrize("days", [10, 45], ids=["before the end", "after the end"])
async def test_bought_again_outside_the_app_it_keeps_its_user(
    client: httpx.AsyncClient, sign_in: SignIn, postman: Postman, days: int
) -> None:
    """Such a purchase names no user. It belongs to the user of the purchase that it continues."""
    headers, other = await sign_in(email="ada@example.com"), await sign_in(email="bob@example.com")
    user = await identity(client, headers)
    old = postman.store.state.buy(MONTHLY)
    await link(client, headers, old.token)
    await postman.deliver()
    with postman.store.changing() as state:
        state.cancel(old)
        state.advance(timedelta(days=days))
        new = state.resubscribe(old)
    await postman.deliver()
    stored = await postman.stored(new)

    assert stored is not None
    assert (stored.user_id, stored.status) == (user, Status.ACTIVE)
    assert (await link(client, other, new.token)).status_code == 409
    assert new.acknowledged
    # Only a purchase outside the app after the end may be given its user at Google.
    assert new.account == (str(user) if days > 30 else None)


async def test_the_first_user_of_a_purchase_keeps_it(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman
) -> None:
    """A user who links the replaced purchase later does not get it."""
    first, thief = await sign_in(email="ada@example.com"), await sign_in(email="bob@example.com")
    old = postman.store.state.buy(MONTHLY)
    new = postman.store.state.replace(old, ENTERPRISE)
    await link(client, first, new.token)
    await link(client, thief, old.token)
    with postman.store.changing() as state:
        state.extend(new)
    await postman.deliver()

    assert await plan_of(runtime, await identity(client, first)) == "enterprise"
    assert await plan_of(runtime, await identity(client, thief)) == "free"


async def test_a_reconciliation_ends_leftovers_of_a_crash(
    runtime: Runtime, postman: Postman, user: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "CONCURRENCY", 1)
    old = await bought(postman, user)
    with postman.store.changing() as state:
        state.replace(old, ENTERPRISE)
    postman.mailbag.clear()
    outcome = await reconcile_provider(runtime, runtime.resource(GooglePlay).provider)

    assert (outcome.repaired, outcome.failed) == (1, 0)
    assert await plan_of(runtime, user) == "free"
