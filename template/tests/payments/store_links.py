"""The link of a purchase to a user: the tests that all app stores pass."""

import asyncio
from contextlib import AbstractContextManager
from typing import Any, Protocol

import httpx
import pytest

from app.core.runtime import Runtime
from tests.conftest import SignIn
from tests.payments.store_purchases import MONTHLY, StorePostman, identity, plan_of


class Store(Protocol):
    """A fake store.

    Attributes:
        state: the subscriptions.
        fault: the error of each response.
    """

    state: Any
    fault: Any

    def changing(self) -> AbstractContextManager[Any]:
        """Change the subscriptions, and then deliver the notifications."""
        ...


class Link(Protocol):
    """A function that links a purchase, as a device does."""

    async def __call__(self, client: httpx.AsyncClient, headers: dict[str, str], item: Any) -> httpx.Response:  # noqa: ANN401 - of a store
        """Send the request."""
        ...


def code(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the error code of a response."""
    return response.status_code, response.json()["error"]["code"]


class StoreLinkContract:
    """The tests of every app store. A subclass overrides the fixtures `store`, `store_postman`, `link` and `outage`."""

    @pytest.fixture
    def store(self) -> Store:
        """The fake, without subscriptions."""
        raise NotImplementedError

    @pytest.fixture
    def store_postman(self) -> StorePostman[Any, Any]:
        """The postman of the fake's notifications."""
        raise NotImplementedError

    @pytest.fixture
    def link(self) -> Link:
        """The function that links a purchase."""
        raise NotImplementedError

    @pytest.fixture
    def outage(self) -> object:
        """The value of the fake's `fault` that answers each request with an error."""
        raise NotImplementedError

    async def test_a_second_user_does_not_get_it(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, store: Store, link: Link
    ) -> None:
        first, second = await sign_in(email="ada@example.com"), await sign_in(email="bob@example.com")
        item = store.state.buy(MONTHLY)
        await link(client, first, item)

        assert code(await link(client, second, item)) == (409, "SUBSCRIPTION_TAKEN")
        assert await plan_of(runtime, await identity(client, first)) == "pro"
        assert await plan_of(runtime, await identity(client, second)) == "free"

    async def test_it_may_be_repeated(
        self, client: httpx.AsyncClient, sign_in: SignIn, store: Store, link: Link
    ) -> None:
        headers, item = await sign_in(), store.state.buy(MONTHLY)

        assert [(await link(client, headers, item)).status_code for _ in range(3)] == [200] * 3

    async def test_a_parked_purchase_is_adopted(
        self,
        client: httpx.AsyncClient,
        sign_in: SignIn,
        store_postman: StorePostman[Any, Any],
        store: Store,
        link: Link,
    ) -> None:
        with store.changing() as state:
            item = state.buy(MONTHLY)
        await store_postman.deliver()
        headers = await sign_in()
        await link(client, headers, item)
        with store.changing() as state:
            state.cancel(item)
        await store_postman.deliver()
        stored = await store_postman.stored(item)

        assert stored is not None
        assert (stored.user_id, stored.status) == (await identity(client, headers), "cancelled")

    async def test_of_many_at_once_one_gets_it(
        self, live_client: httpx.AsyncClient, live_sign_in: SignIn, store: Store, link: Link
    ) -> None:
        item = store.state.buy(MONTHLY)
        everyone = [await live_sign_in(email=f"user{number}@example.com") for number in range(6)]
        responses = await asyncio.gather(*(link(live_client, each, item) for each in everyone))

        assert sorted(response.status_code for response in responses) == [200, *[409] * 5]

    async def test_the_user_that_the_app_named_gets_it(
        self, client: httpx.AsyncClient, sign_in: SignIn, store: Store, link: Link
    ) -> None:
        headers = await sign_in()
        item = store.state.buy(MONTHLY, account=str(await identity(client, headers)))

        assert (await link(client, headers, item)).json()["plan"] == "pro"

    async def test_another_user_than_the_app_named_does_not(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, store: Store, link: Link
    ) -> None:
        owner, thief = await sign_in(email="ada@example.com"), await sign_in(email="bob@example.com")
        item = store.state.buy(MONTHLY, account=str(await identity(client, owner)))

        assert code(await link(client, thief, item)) == (409, "SUBSCRIPTION_TAKEN")
        assert await plan_of(runtime, await identity(client, owner)) == "pro"
        assert await plan_of(runtime, await identity(client, thief)) == "free"

    @pytest.mark.parametrize("account", ["0199d3a4-5b1c-7000-8000-000000000000", "not a uuid"])
    async def test_an_account_that_does_not_exist_names_no_user(
        self,
        client: httpx.AsyncClient,
        sign_in: SignIn,
        store_postman: StorePostman[Any, Any],
        link: Link,
        account: str,
    ) -> None:
        headers = await sign_in()
        with store_postman.store.changing() as state:
            item = state.buy(MONTHLY, account=account)
        await store_postman.deliver()
        linked = await link(client, headers, item)
        with store_postman.store.changing() as state:
            state.extend(item)
        await store_postman.deliver()
        stored = await store_postman.stored(item)

        assert linked.status_code == 200
        assert stored is not None
        assert (stored.user_id, stored.claimed_user_id) == (await identity(client, headers), None)

    async def test_without_a_user_it_is_refused(self, client: httpx.AsyncClient, store: Store, link: Link) -> None:
        assert (await link(client, {}, store.state.buy(MONTHLY))).status_code == 401

    async def test_while_the_store_is_down_it_is_refused(
        self, client: httpx.AsyncClient, sign_in: SignIn, store: Store, link: Link, outage: object
    ) -> None:
        item, headers = store.state.buy(MONTHLY), await sign_in()
        store.fault = outage
        response = await link(client, headers, item)

        assert code(response) == (503, "BILLING_UNAVAILABLE")
        assert "Retry-After" in response.headers
