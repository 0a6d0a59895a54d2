"""Acknowledgements within three days, and voided purchases."""

from datetime import timedelta

import httpx
import pytest
from uuid_utils.compat import uuid7

from app.core.runtime import Runtime
from app.dev.servers.fake_http import Delivery
from app.dev.servers.google_play.store import ApiError, GooglePlay
from app.google_iap.google_play import GooglePlay as Connection
from app.google_iap.jobs import acknowledge_google_purchases, poll_voided_google_purchases
from app.payments import reconciliation
from app.payments.adoption import adopt_parked
from app.payments.port import ProviderUnavailableError
from app.payments.port import SubscriptionStatus as Status
from app.payments.reconciliation import reconcile_provider
from tests.conftest import SignIn
from tests.google_iap.conftest import Postman, link, stored_purchase
from tests.payments.provider_contract import add_user
from tests.payments.store_purchases import MONTHLY, plan_of


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' database is one connection."""
    monkeypatch.setattr(reconciliation, "CONCURRENCY", 1)


class TestAcknowledgement:
    async def test_a_linked_purchase_is_acknowledged(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, google_play: GooglePlay
    ) -> None:
        item = google_play.state.buy(MONTHLY)
        await link(client, await sign_in(), item.token)
        assert not item.acknowledged
        await runtime.queue.drain()

        assert google_play.calls == [("acknowledge", item.token, {})]
        purchase = await stored_purchase(runtime, item.token)
        assert purchase is not None
        assert not purchase.needs_acknowledgement

    async def test_a_purchase_without_a_user_is_not(self, postman: Postman, runtime: Runtime) -> None:
        """Google refunds it, because the buyer has received nothing."""
        with postman.store.changing() as state:
            item = state.buy(MONTHLY)
        await postman.deliver()
        assert await acknowledge_google_purchases(runtime) == {"acknowledged": 0, "failed": 0}

        with postman.store.changing() as state:
            state.advance(timedelta(days=4))
        await postman.deliver()
        stored = await postman.stored(item)
        assert stored is not None
        assert (stored.status, item.acknowledged) == (Status.REFUNDED, False)

    async def test_a_product_without_a_plan_is_not(self, postman: Postman, runtime: Runtime) -> None:
        user = await add_user(runtime)
        with postman.store.changing() as state:
            item = state.buy("com.example.unknown", account=str(user))
        await postman.deliver()

        assert not item.acknowledged

    async def test_a_pending_purchase_is_not(self, postman: Postman, runtime: Runtime) -> None:
        user = await add_user(runtime)
        with postman.store.changing() as state:
            item = state.buy(MONTHLY, account=str(user), pending=True)
            state.notify(4, item)
        await postman.deliver()
        assert postman.store.calls == []

        with postman.store.changing() as state:
            state.complete_payment(item)
        await postman.deliver()
        assert item.acknowledged

    @pytest.mark.parametrize("reconciles", [False, True], ids=["hourly job", "reconciliation"])
    async def test_a_failure_is_repaired(self, postman: Postman, runtime: Runtime, *, reconciles: bool) -> None:
        user = await add_user(runtime)
        refusal = ApiError(409, "concurrentUpdate")

        def refuse(*_arguments: object) -> dict[str, object]:
            raise refusal

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postman.store, "change", refuse)
            with postman.store.changing() as state:
                item = state.buy(MONTHLY, account=str(user))
            headers, body = postman.mailbag.pop()
            await postman.post(body, headers)
            await runtime.queue.drain(raises=False)
            assert await plan_of(runtime, user) == "pro"
            assert await acknowledge_google_purchases(runtime) == {"acknowledged": 0, "failed": 1}

        if reconciles:
            await reconcile_provider(runtime, runtime.resource(Connection).provider)
        expected = {"acknowledged": 0 if reconciles else 1, "failed": 0}
        assert await acknowledge_google_purchases(runtime) == expected
        assert await acknowledge_google_purchases(runtime) == {"acknowledged": 0, "failed": 0}
        assert item.acknowledged

    async def test_a_purchase_whose_user_appears_later_is_acknowledged(
        self, postman: Postman, runtime: Runtime
    ) -> None:
        later = uuid7()
        with postman.store.changing() as state:
            item = state.buy(MONTHLY, account=str(later))
        await postman.deliver()
        await add_user(runtime, user_id=later)
        await adopt_parked(runtime, later)
        await acknowledge_google_purchases(runtime)

        assert item.acknowledged

    async def test_purchases_that_the_app_acknowledged_stay_untouched(self, postman: Postman, runtime: Runtime) -> None:
        user = await add_user(runtime)
        with postman.store.changing() as state:
            item = state.buy(MONTHLY, account=str(user))
            item.acknowledged = True
        await postman.deliver()

        assert postman.store.calls == []


class TestVoidedPurchases:
    async def test_a_refund_whose_notification_was_lost_ends_access(self, postman: Postman, runtime: Runtime) -> None:
        user = await add_user(runtime)
        with postman.store.changing() as state:
            item = state.buy(MONTHLY, account=str(user))
        await postman.deliver()
        postman.store.set_delivery(Delivery.DROP)
        with postman.store.changing() as state:
            # The state of the subscription stays active.
            state.charge_back(item)
        outcomes = [await poll_voided_google_purchases(runtime) for _ in range(2)]
        stored = await postman.stored(item)

        assert outcomes == [{"voided": 1, "failed": 0}, {"voided": 0, "failed": 0}]
        assert stored is not None
        assert stored.status == Status.REFUNDED
        assert await plan_of(runtime, user) == "free"

    async def test_a_refund_of_an_earlier_period_ends_nothing(self, postman: Postman, runtime: Runtime) -> None:
        user = await add_user(runtime)
        with postman.store.changing() as state:
            item = state.buy(MONTHLY, account=str(user))
        await postman.deliver()
        with postman.store.changing() as state:
            state.charge_back(item)
            state.advance(timedelta(days=31))
        await postman.deliver()

        assert await plan_of(runtime, user) == "pro"

    async def test_purchases_that_are_not_known_are_ignored(self, google_play: GooglePlay, runtime: Runtime) -> None:
        google_play.state.charge_back(google_play.state.buy(MONTHLY))

        assert await poll_voided_google_purchases(runtime) == {"voided": 0, "failed": 0}

    async def test_while_google_play_is_down_it_fails(self, google_play: GooglePlay, runtime: Runtime) -> None:
        google_play.fault = ApiError(503, "backendError")

        with pytest.raises(ProviderUnavailableError):
            await poll_voided_google_purchases(runtime)
