"""Google Play as a payment provider: the contract of all of them."""

from typing import ClassVar
from uuid import UUID

import pytest

from app.core.runtime import Runtime
from app.dev.servers.google_play.store import ApiError, GooglePlay
from app.dev.servers.google_play.subscriptions import Subscription
from app.google_iap.google_play import GooglePlay as Connection
from app.google_iap.purchases import remember_token
from app.payments.port import BillingProvider, BillingProviders
from tests.google_iap.conftest import MONTHLY
from tests.payments.provider_contract import ProviderContract


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


class TestContract(ProviderContract):
    """Google Play keeps the contract."""


async def test_it_is_registered(runtime: Runtime, shop: GoogleShop) -> None:
    assert runtime.resource(BillingProviders).get("google") is shop.provider
    assert shop.provider.all_ids(runtime) is None
    assert shop.provider.ids_of(runtime, UUID(int=0)) is None


async def test_an_id_whose_token_is_not_stored_is_unknown(runtime: Runtime, shop: GoogleShop) -> None:
    assert await shop.provider.fetch(runtime, "0" * 64) is None
