"""The link of a purchase to a user."""

import httpx
import pytest

from app.core.runtime import Runtime
from app.dev.servers.google_play.objects import Subscription
from app.dev.servers.google_play.store import ApiError, GooglePlay
from app.payments.entitlements import SubscriptionEntitlements
from app.users.erasure import erase_user
from tests.conftest import ME, SignIn
from tests.google_iap.conftest import LINK, Postman, link, stored_purchase
from tests.google_iap.test_states import whole
from tests.payments.store_links import Link, StoreLinkContract, code
from tests.payments.store_purchases import MONTHLY, identity, plan_of


class TestContract(StoreLinkContract):
    @pytest.fixture
    def store(self, google_play: GooglePlay) -> GooglePlay:
        return google_play

    @pytest.fixture
    def store_postman(self, postman: Postman) -> Postman:
        return postman

    @pytest.fixture
    def link(self) -> Link:
        async def link_item(client: httpx.AsyncClient, headers: dict[str, str], item: Subscription) -> httpx.Response:
            return await link(client, headers, item.token)

        return link_item

    @pytest.fixture
    def outage(self) -> ApiError:
        return ApiError(503, "backendError")


class TestWithoutAnAccount:
    """The app named no user when the purchase was made."""

    async def test_the_first_user_gets_it(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, google_play: GooglePlay
    ) -> None:
        headers, item = await sign_in(), google_play.state.buy(MONTHLY)
        response = await link(client, headers, item.token)

        assert response.status_code == 200
        expiry = whole(item.expires)
        assert expiry is not None
        assert response.json() == {
            "provider": "google",
            "product": MONTHLY,
            "plan": "pro",
            "status": "active",
            "access_until": expiry.isoformat().replace("+00:00", "Z"),
            "period_end": response.json()["access_until"],
            "cancel_at_period_end": False,
            "sandbox": True,
        }
        assert await plan_of(runtime, await identity(client, headers)) == "pro"


class TestRefused:
    async def test_a_token_that_google_does_not_know_is_not_stored(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        assert code(await link(client, await sign_in(), "made-up.token")) == (404, "NOT_FOUND")
        assert await stored_purchase(runtime, "made-up.token") is None

    @pytest.mark.parametrize("text", ["", "a b", "A" * 1025, "a/b", ".", "..", "ä", None, 5])
    async def test_a_text_that_is_no_purchase_token(
        self, client: httpx.AsyncClient, sign_in: SignIn, text: str | int | None
    ) -> None:
        response = await client.post(LINK, json={"purchase_token": text}, headers=await sign_in())

        assert code(response) == (422, "VALIDATION_ERROR")


class TestWithoutSettings:
    @pytest.fixture(autouse=True)
    def unset(self, google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in google_play.settings:
            monkeypatch.delenv(name)

    async def test_nothing_can_be_linked(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        assert code(await link(client, await sign_in(), "abc")) == (404, "NOT_FOUND")


async def test_a_test_purchase_gives_nothing_in_production(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, google_play: GooglePlay
) -> None:
    headers = await sign_in()
    user = await identity(client, headers)
    production = SubscriptionEntitlements(catalog=runtime.resource(SubscriptionEntitlements).catalog, sandbox=False)
    plans = []
    for test in (True, False):
        response = await link(client, headers, google_play.state.buy(MONTHLY, test=test).token)
        assert (response.status_code, response.json()["sandbox"]) == (200, test)
        plans.append(await plan_of(runtime, user, production))

    assert plans == ["free", "pro"]


async def test_an_erasure_cancels_and_waits_until_google_play_answers(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, google_play: GooglePlay
) -> None:
    headers = await sign_in(email="old@example.com")
    user = await identity(client, headers)
    with google_play.changing() as state:
        item = state.buy(MONTHLY, account=str(user))
    await postman.deliver()
    google_play.fault = ApiError(500, "backendError")
    with pytest.raises(Exception, match="google did not answer"):
        await erase_user(runtime, user)
    google_play.fault = None
    assert await erase_user(runtime, user)
    await postman.deliver()
    detached = await postman.stored(item)

    assert (await client.get(ME, headers=headers)).status_code in {401, 403}
    assert detached is not None
    assert (detached.user_id, detached.claimed_user_id is None or detached.claimed_user_id == user) == (None, True)
    assert [action for action, *_ in google_play.calls] == ["acknowledge", "cancel"]
    # What was paid can be linked to a new account of the same person.
    assert (await link(client, await sign_in(email="new@example.com"), item.token)).json()["plan"] == "pro"
