"""Google Play as a payment provider: the contract of all of them."""

from typing import ClassVar
from uuid import UUID

import pytest

from app.core.runtime import Runtime
from app.dev.servers.google_play.objects import State, Subscription
from app.dev.servers.google_play.store import ApiError, GooglePlay
from app.dev.servers.google_play.subscriptions import GRACE_PERIOD, MONTH, Subscriptions
from app.google_iap.google_play import GooglePlay as Connection
from app.google_iap.purchases import remember_token, void_order
from app.payments import reconciliation
from app.payments.convergence import converge
from app.payments.erasure import end_subscriptions
from app.payments.port import BillingProvider, BillingProviders, ProviderUnavailableError, SubscriptionStatus
from app.payments.reconciliation import reconcile_provider
from tests.payments.provider_contract import ProviderContract, add_user, stored
from tests.payments.store_purchases import MONTHLY


class GoogleShop:
    """Sells in the fake Google Play."""

    can_transfer: ClassVar = True
    can_cancel: ClassVar = False
    """Google can turn the renewal off. What was paid lasts until its end."""

    def __init__(self, runtime: Runtime, provider: BillingProvider, store: GooglePlay) -> None:
        self.provider = provider
        self._runtime = runtime
        self._store = store
        self._items: dict[str, Subscription] = {}

    async def sell(self, user_id: UUID | None) -> str:
        """Sell a subscription."""
        item = self._store.state.buy(MONTHLY, account=None if user_id is None else str(user_id))
        id_ = await remember_token(self._runtime, item.token)
        self._items[id_] = item
        return id_

    async def end(self, provider_id: str) -> None:
        """Revoke it."""
        self._store.state.revoke(self._items[provider_id])

    async def give(self, provider_id: str, user_id: UUID) -> None:
        """Name another user."""
        self._items[provider_id].account = str(user_id)

    def break_down(self, *, down: bool) -> None:
        """Stop or start to answer."""
        self._store.fault = ApiError(503, "backendError") if down else None


@pytest.fixture
def shop(runtime: Runtime, google_play: GooglePlay) -> GoogleShop:
    return GoogleShop(runtime, runtime.resource(Connection).provider, google_play)


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' database is one connection."""
    monkeypatch.setattr(reconciliation, "CONCURRENCY", 1)


class TestContract(ProviderContract):
    """Google Play keeps the contract."""


async def test_it_is_registered(runtime: Runtime, shop: GoogleShop) -> None:
    assert runtime.resource(BillingProviders).get("google") is shop.provider
    assert shop.provider.ids_of(runtime, UUID(int=0)) is None


async def test_a_purchase_whose_event_failed_is_reconciled(runtime: Runtime, shop: GoogleShop) -> None:
    id_ = await shop.sell(await add_user(runtime))
    outcomes = [await reconcile_provider(runtime, shop.provider) for _ in range(2)]

    assert [(each.checked, each.repaired, each.failed) for each in outcomes] == [(1, 1, 0), (1, 0, 0)]
    assert (await stored(runtime)).provider_id == id_


async def test_an_id_whose_token_is_not_stored_is_unknown(runtime: Runtime, shop: GoogleShop) -> None:
    assert await shop.provider.fetch(runtime, "0" * 64) is None


async def test_an_unknown_state_changes_nothing(
    runtime: Runtime, shop: GoogleShop, google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await shop.sell(await add_user(runtime))
    await converge(runtime, shop.provider, id_)
    genuine = google_play.purchase
    monkeypatch.setattr(
        google_play, "purchase", lambda token: {**genuine(token), "subscriptionState": "SUBSCRIPTION_STATE_NEW"}
    )

    with pytest.raises(ProviderUnavailableError, match="unknown state SUBSCRIPTION_STATE_NEW"):
        await converge(runtime, shop.provider, id_)
    assert (await stored(runtime)).version == 1


class TestErasure:
    async def test_nothing_more_is_charged(self, runtime: Runtime, shop: GoogleShop, google_play: GooglePlay) -> None:
        user_id = await add_user(runtime)
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        for _ in range(2):
            await end_subscriptions(runtime, user_id)

        assert [action for action, *_ in google_play.calls] == ["acknowledge", "cancel"]
        (item,) = google_play.state.items.values()
        assert item.state is State.CANCELED

    @pytest.mark.parametrize(
        "failure", [ApiError(400, "subscriptionNotCancelable"), ApiError(403, "permissionDenied"), ApiError(500, "a")]
    )
    async def test_a_refusal_stops_the_erasure(
        self,
        runtime: Runtime,
        shop: GoogleShop,
        google_play: GooglePlay,
        failure: ApiError,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        user_id = await add_user(runtime)
        await converge(runtime, shop.provider, await shop.sell(user_id))

        def refuse(*_arguments: object) -> dict[str, object]:
            raise failure

        monkeypatch.setattr(google_play, "change", refuse)
        with pytest.raises(ProviderUnavailableError):
            await end_subscriptions(runtime, user_id)

    async def test_a_pending_purchase_is_left_to_google(
        self, runtime: Runtime, shop: GoogleShop, google_play: GooglePlay
    ) -> None:
        user_id = await add_user(runtime)
        item = google_play.state.buy(MONTHLY, account=str(user_id), pending=True)
        await converge(runtime, shop.provider, await remember_token(runtime, item.token))
        await end_subscriptions(runtime, user_id)

        assert google_play.calls == []

    async def test_a_refunded_subscription_renews_no_more(
        self, runtime: Runtime, shop: GoogleShop, google_play: GooglePlay
    ) -> None:
        user_id = await add_user(runtime)
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        (item,) = google_play.state.items.values()
        google_play.state.charge_back(item)
        await void_order(runtime, id_, item.order or "")
        await end_subscriptions(runtime, user_id)
        assert ((await stored(runtime)).status, item.state) == (SubscriptionStatus.REFUNDED, State.CANCELED)

    async def test_a_purchase_that_google_forgot_is_no_obstacle(
        self, runtime: Runtime, shop: GoogleShop, google_play: GooglePlay
    ) -> None:
        user_id = await add_user(runtime)
        await converge(runtime, shop.provider, await shop.sell(user_id))
        google_play.state.items.clear()
        await end_subscriptions(runtime, user_id)
        assert (await stored(runtime)).status is SubscriptionStatus.EXPIRED

    @pytest.mark.parametrize("failed", [True, False], ids=["on hold", "paused"])
    async def test_a_subscription_without_access_ends_too(
        self, runtime: Runtime, shop: GoogleShop, google_play: GooglePlay, *, failed: bool
    ) -> None:
        user_id = await add_user(runtime)
        id_ = await shop.sell(user_id)
        (item,) = google_play.state.items.values()
        item.acknowledged = True
        change = Subscriptions.decline_payments if failed else Subscriptions.pause
        change(google_play.state, item)
        google_play.state.advance(MONTH + 2 * GRACE_PERIOD)
        await converge(runtime, shop.provider, id_)
        await end_subscriptions(runtime, user_id)

        assert [action for action, *_ in google_play.calls] == ["cancel"]
