"""The link of a purchase to a user."""

import httpx
import jwt
import pytest

from app.core.runtime import Runtime
from app.dev.servers.app_store.certificates import Chain
from app.dev.servers.app_store.payloads import Signer
from app.dev.servers.app_store.store import APP_ID, AppStore
from app.dev.servers.app_store.subscriptions import Subscription
from app.payments.entitlements import SubscriptionEntitlements
from app.users.erasure import erase_user
from tests.apple_iap.conftest import LINK, Postman
from tests.conftest import ME, SignIn
from tests.payments.store_links import Link, StoreLinkContract, code
from tests.payments.store_purchases import MONTHLY, identity, plan_of


async def link(client: httpx.AsyncClient, headers: dict[str, str], signed: str) -> httpx.Response:
    return await client.post(LINK, json={"signed_transaction": signed}, headers=headers)


@pytest.fixture
def item(app_store: AppStore) -> Subscription:
    return app_store.state.buy(MONTHLY)


@pytest.fixture
def signed(app_store: AppStore, item: Subscription) -> str:
    return app_store.signed_transaction(item)


class TestContract(StoreLinkContract):
    @pytest.fixture
    def store(self, app_store: AppStore) -> AppStore:
        return app_store

    @pytest.fixture
    def store_postman(self, postman: Postman) -> Postman:
        return postman

    @pytest.fixture
    def link(self, app_store: AppStore) -> Link:
        async def link_item(client: httpx.AsyncClient, headers: dict[str, str], item: Subscription) -> httpx.Response:
            return await link(client, headers, app_store.signed_transaction(item))

        return link_item

    @pytest.fixture
    def outage(self) -> int:
        return 500


class TestWithoutAnAccount:
    """The app named no user when the purchase was made."""

    async def test_the_first_user_gets_it(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, item: Subscription, signed: str
    ) -> None:
        headers = await sign_in()
        response = await link(client, headers, signed)

        assert response.status_code == 200
        assert response.json() == {
            "provider": "apple",
            "product": MONTHLY,
            "plan": "pro",
            "status": "active",
            "access_until": response.json()["period_end"],
            "period_end": f"{item.expires:%Y-%m-%dT%H:%M:%S}.{item.expires.microsecond // 1000:03}000Z",
            "cancel_at_period_end": False,
            "sandbox": True,
        }
        assert await plan_of(runtime, await identity(client, headers)) == "pro"


class TestWithAnAccount:
    """The app named a user when the purchase was made."""

    async def test_no_link_is_needed(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, app_store: AppStore
    ) -> None:
        user = await identity(client, await sign_in())
        with app_store.changing() as state:
            state.buy(MONTHLY, account=str(user))
        await postman.deliver()

        assert await plan_of(runtime, user) == "pro"

    async def test_a_transfer_takes_the_access_along(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, app_store: AppStore
    ) -> None:
        ada, bob = [await identity(client, await sign_in(email=f"{name}@example.com")) for name in ("ada", "bob")]
        with app_store.changing() as state:
            item = state.buy(MONTHLY, account=str(ada))
        await postman.deliver()
        with app_store.changing() as state:
            item.account = str(bob)
            state.extend(item)
        await postman.deliver()

        assert (await plan_of(runtime, ada), await plan_of(runtime, bob)) == ("free", "pro")


class TestRefused:
    async def test_a_forged_transaction(
        self, client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore, item: Subscription
    ) -> None:
        own = Signer(chain=Chain.create(f"{app_store.url}/ocsp"), bundle_id=app_store.signer.bundle_id, app_id=APP_ID)

        assert code(await link(client, await sign_in(), own.transaction(item, app_store.state.now))) == (
            400,
            "INVALID_SIGNATURE",
        )

    async def test_a_purchase_in_another_app(
        self, client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore, item: Subscription
    ) -> None:
        other = Signer(chain=app_store.chain, bundle_id="com.example.other", app_id=APP_ID)

        assert code(await link(client, await sign_in(), other.transaction(item, app_store.state.now))) == (
            400,
            "WRONG_APP",
        )

    async def test_a_transaction_of_xcode(
        self, client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore, signed: str
    ) -> None:
        payload = jwt.decode(signed, options={"verify_signature": False}) | {"environment": "Xcode"}

        assert code(await link(client, await sign_in(), app_store.chain.sign(payload))) == (400, "WRONG_ENVIRONMENT")

    async def test_a_purchase_that_is_no_subscription(
        self, client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore, signed: str
    ) -> None:
        payload = jwt.decode(signed, options={"verify_signature": False}) | {"type": "Consumable"}

        assert code(await link(client, await sign_in(), app_store.chain.sign(payload))) == (400, "NOT_A_SUBSCRIPTION")

    async def test_a_purchase_that_the_app_store_does_not_know(
        self, client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore, signed: str
    ) -> None:
        app_store.state.items.clear()

        assert code(await link(client, await sign_in(), signed)) == (404, "NOT_FOUND")

    @pytest.mark.parametrize("text", ["", "a.b", "A" * 40_000, "a.b.c d", None])
    async def test_a_text_that_is_no_jws(self, client: httpx.AsyncClient, sign_in: SignIn, text: str | None) -> None:
        response = await client.post(LINK, json={"signed_transaction": text}, headers=await sign_in())

        assert code(response) == (422, "VALIDATION_ERROR")

    async def test_while_the_ocsp_server_is_down(
        self, client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore, signed: str
    ) -> None:
        app_store.ocsp_fault = 500

        assert code(await link(client, await sign_in(), signed)) == (503, "VERIFICATION_UNAVAILABLE")


async def test_a_sandbox_purchase_gives_nothing_in_production(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, app_store: AppStore
) -> None:
    headers = await sign_in()
    user = await identity(client, headers)
    production = SubscriptionEntitlements(catalog=runtime.resource(SubscriptionEntitlements).catalog, sandbox=False)
    plans = []
    for sandbox in (True, False):
        item = app_store.state.buy(MONTHLY, sandbox=sandbox)
        response = await link(client, headers, app_store.signed_transaction(item))
        assert (response.status_code, response.json()["sandbox"]) == (200, sandbox)
        plans.append(await plan_of(runtime, user, production))

    assert plans == ["free", "pro"]


async def test_after_an_erasure_a_new_account_can_link_the_purchase(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, app_store: AppStore
) -> None:
    user = await identity(client, await sign_in(email="old@example.com"))
    with app_store.changing() as state:
        item = state.buy(MONTHLY, account=str(user))
    await postman.deliver()
    await erase_user(runtime, user)
    with app_store.changing() as state:
        state.extend(item)
    await postman.deliver()
    detached = await postman.stored(item)
    assert detached is not None
    # The App Store keeps renewing it, and its owner can have it again.
    assert (detached.user_id, detached.status) == (None, "active")

    headers = await sign_in(email="new@example.com")
    assert (await link(client, headers, app_store.signed_transaction(item))).json()["plan"] == "pro"


async def test_an_erasure_waits_until_the_app_store_answers(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, app_store: AppStore
) -> None:
    headers = await sign_in()
    user = await identity(client, headers)
    with app_store.changing() as state:
        state.buy(MONTHLY, account=str(user))
    await postman.deliver()
    app_store.fault = 500

    with pytest.raises(Exception, match="apple did not answer"):
        await erase_user(runtime, user)
    app_store.fault = None
    assert await erase_user(runtime, user)
    assert (await client.get(ME, headers=headers)).status_code in {401, 403}
