"""The App Store as a payment provider: the contract of all of them."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest

from app.apple_iap.app_store import AppStore as Connection
from app.core.runtime import Runtime
from app.dev.servers.app_store.store import AppStore
from app.payments.convergence import converge
from app.payments.port import BillingProvider, BillingProviders, ProviderUnavailableError
from tests.payments.provider_contract import ProviderContract, add_user, stored
from tests.payments.store_purchases import MONTHLY


class AppleShop:
    """Sells in the fake App Store."""

    can_transfer: ClassVar = True
    can_cancel: ClassVar = False

    def __init__(self, provider: BillingProvider, store: AppStore) -> None:
        self.provider = provider
        self._store = store

    async def sell(self, user_id: UUID | None) -> str:
        """Sell a subscription."""
        return self._store.state.buy(MONTHLY, account=None if user_id is None else str(user_id)).original_id

    async def end(self, provider_id: str) -> None:
        """Refund it."""
        self._store.state.refund(self._store.state.items[provider_id])

    async def give(self, provider_id: str, user_id: UUID) -> None:
        """Name another user, as the endpoint "Set App Account Token" does."""
        self._store.state.items[provider_id].account = str(user_id)

    def break_down(self, *, down: bool) -> None:
        """Stop or start to answer."""
        self._store.fault = 503 if down else None


@pytest.fixture
def shop(runtime: Runtime, app_store: AppStore) -> AppleShop:
    return AppleShop(runtime.resource(Connection).provider, app_store)


class TestContract(ProviderContract):
    """The App Store keeps the contract."""


async def test_it_is_registered(runtime: Runtime, shop: AppleShop) -> None:
    assert runtime.resource(BillingProviders).get("apple") is shop.provider
    assert shop.provider.all_ids(runtime) is None
    assert shop.provider.ids_of(runtime, UUID(int=0)) is None


async def test_without_the_ocsp_server_nothing_changes(runtime: Runtime, shop: AppleShop, app_store: AppStore) -> None:
    id_ = await shop.sell(await add_user(runtime))
    app_store.ocsp_fault = 500
    with pytest.raises(ProviderUnavailableError, match="certificate status"):
        await converge(runtime, shop.provider, id_)
    app_store.ocsp_fault = None

    assert await converge(runtime, shop.provider, id_) is not None


async def test_data_that_is_not_signed_by_apple_changes_nothing(
    runtime: Runtime, shop: AppleShop, app_store: AppStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that poses as the App Store Server API would need Apple's key as well."""
    id_ = await shop.sell(await add_user(runtime))
    await converge(runtime, shop.provider, id_)
    forged = app_store.signer.transaction
    monkeypatch.setattr(
        type(app_store.signer), "transaction", lambda _self, *arguments: forged(*arguments)[:-4] + "AAAA"
    )
    app_store.state.advance(timedelta(days=40))

    with pytest.raises(ProviderUnavailableError, match="INVALID_SIGNATURE"):
        await converge(runtime, shop.provider, id_)
    assert (await stored(runtime)).version == 1


async def test_an_unknown_status_changes_nothing(
    runtime: Runtime, shop: AppleShop, app_store: AppStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await shop.sell(None)
    statuses = app_store.statuses

    def unknown(transaction_id: str, *, sandbox: bool) -> dict[str, object]:
        answer = statuses(transaction_id, sandbox=sandbox)
        assert isinstance(answer["data"], list)
        answer["data"][0]["lastTransactions"][0]["status"] = 9
        return answer

    monkeypatch.setattr(app_store, "statuses", unknown)

    with pytest.raises(ProviderUnavailableError, match="unknown status 9"):
        await converge(runtime, shop.provider, id_)
