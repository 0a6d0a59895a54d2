"""Purchases: from the request to the plan."""

import asyncio
import base64
import hashlib
from typing import Any

import httpx
import pytest

from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import CheckoutSession
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.stripe.api import StripeApi
from app.stripe.prices import StripePrices
from app.stripe.settings import StripeSettings
from tests.conftest import SignIn
from tests.stripe.conftest import Buyer, StripeServer, make_buyer, prepare, submit

FOREIGN = [
    "https://evil.example/ok",
    "http://testserver.evil.example/",
    "http://testserver@evil.example/",
    "http://testserver\\@evil.example/",
    "//evil.example/",
    "javascript:alert(1)",
    "http://testserver:81/",
    "https://testserver/",
    "http://testserver /",
    "/billing",
    "http://[::1",
]


class TestPurchase:
    async def test_the_webhook_gives_the_plan(self, buyer: Buyer) -> None:
        assert (await buyer.status())["plan"] == "free"
        await buyer.buy()
        assert (await buyer.status())["plan"] == "free"

        await buyer.deliver()

        status = await buyer.status()
        assert status["plan"] == "pro"
        (subscription,) = status["subscriptions"]
        assert (subscription["provider"], subscription["status"]) == ("stripe", "trialing")
        assert subscription["product"] == "pro_monthly"

    async def test_the_success_page_does_not_wait_for_the_webhook(self, buyer: Buyer) -> None:
        response = await buyer.sync(await buyer.buy())
        assert (response.status_code, response.json()["plan"]) == (200, "pro")

    async def test_the_public_page_applies_the_checkout_too(self, buyer: Buyer) -> None:
        session = (await buyer.checkout()).json()
        landing = (await submit(session["url"])).headers["Location"]
        page = await buyer.client.get(landing)

        assert page.status_code == 200
        assert "Thank you" in page.text
        style = page.text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        (policy,) = page.headers.get_list("Content-Security-Policy")
        assert policy == f"default-src 'none'; frame-ancestors 'none'; style-src 'sha256-{digest}'"
        assert (await buyer.status())["plan"] == "pro"

    async def test_going_back_buys_nothing(self, buyer: Buyer) -> None:
        session = (await buyer.checkout()).json()
        landing = (await submit(session["url"], action="cancel")).headers["Location"]
        assert "Nothing was bought" in (await buyer.client.get(landing)).text
        assert (await buyer.status())["plan"] == "free"

    async def test_yearly_with_seats(self, buyer: Buyer) -> None:
        subscription = await buyer.subscribe(plan="enterprise", interval="yearly", quantity=7)
        assert (subscription["plan"], subscription["product"]) == ("enterprise", "enterprise_yearly")
        assert (subscription["quantity"], subscription["status"]) == (7, "active")

    async def test_a_declined_card_gives_nothing(self, buyer: Buyer) -> None:
        session = (await buyer.checkout(plan="enterprise")).json()
        await submit(session["url"], card="0002")
        await buyer.deliver()
        assert (await buyer.status())["plan"] == "free"

    async def test_prices_of_the_settings_sell_the_lowest_paid_plan(
        self, buyer: Buyer, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
    ) -> None:

        api = runtime.resource(StripePrices).api
        made = await api.call(
            lambda client: client.v1.prices.create_async(
                {
                    "product_data": {"name": "Legacy"},
                    "currency": "usd",
                    "unit_amount": 500,
                    "recurring": {"interval": "month"},
                }
            )
        )
        monkeypatch.setenv("STRIPE_PRICE_ID_MONTHLY", made["id"])
        monkeypatch.setattr(runtime.resource(StripePrices), "settings", StripeSettings())
        subscription = await buyer.subscribe()
        assert (subscription["plan"], subscription["product"]) == ("pro", made["id"])


class TestTrial:
    async def test_is_given_once_whatever_the_plan(self, buyer: Buyer) -> None:
        first = await buyer.subscribe(plan="pro")
        assert first["trial_end"] is not None
        for subscription in buyer.fake.account.all(Subscription):
            await end(buyer, subscription.id)
        await buyer.deliver()
        assert (await buyer.status())["plan"] == "free"

        await buyer.subscribe(plan="pro", interval="yearly")
        (again, _) = (await buyer.status())["subscriptions"]
        assert (again["status"], again["trial_end"]) == ("active", None)

    async def test_is_given_once_even_if_the_customer_is_deleted(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="pro")
        (customer,) = buyer.fake.account.all(Customer)
        await buyer.runtime.resource(StripeApi).call(lambda client: client.v1.customers.delete_async(customer.id))
        await buyer.deliver()

        again = await buyer.subscribe(plan="pro")
        assert (again["status"], again["trial_end"]) == ("active", None)

    async def test_two_plans_at_once_leave_one_checkout_open(self, buyer: Buyer) -> None:
        await buyer.checkout(plan="pro")
        await buyer.checkout(plan="pro", interval="yearly")
        states = sorted(session.status for session in buyer.fake.account.all(CheckoutSession))
        assert states == ["expired", "open"]


class TestRepetition:
    async def test_the_same_purchase_has_the_same_session(self, buyer: Buyer) -> None:
        first, second = [(await buyer.checkout()).json() for _ in range(2)]
        assert first["session_id"] == second["session_id"]

    async def test_a_subscriber_changes_instead_of_buying_again(self, buyer: Buyer) -> None:
        await buyer.buy()
        # No event has arrived yet.
        response = await buyer.checkout(plan="enterprise")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "ALREADY_SUBSCRIBED")

    async def test_one_whose_payment_is_not_complete_is_paid_first(self, buyer: Buyer) -> None:
        await buyer.checkout()
        (customer,) = buyer.fake.account.all(Customer)
        api = buyer.runtime.resource(StripeApi)
        (price,) = await api.prices(["enterprise_monthly"])
        await api.call(
            lambda client: client.v1.subscriptions.create_async(
                {"customer": customer.id, "items": [{"price": price.id}], "payment_behavior": "default_incomplete"}
            )
        )
        await buyer.deliver()
        error = (await buyer.checkout()).json()["error"]
        assert error["code"] == "SUBSCRIPTION_UNPAID"
        assert error["details"]["url"].startswith(buyer.fake.account.base_url)

        await buyer.post("/cancel")
        assert [one.status for one in buyer.fake.account.all(Subscription)] != ["incomplete"]
        assert (await buyer.checkout()).status_code == 200

    async def test_after_the_end_a_new_session_begins(self, buyer: Buyer) -> None:
        await buyer.subscribe()
        await end(buyer, buyer.fake.account.all(Subscription)[0].id)
        assert (await buyer.checkout()).status_code == 200
        assert len(buyer.fake.account.all(CheckoutSession)) == 2

    async def test_parallel_clicks_make_one_customer_and_one_session(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, stripe_server: StripeServer, live_sign_in: SignIn
    ) -> None:
        fake = await prepare(stripe_server, live_runtime)
        buyer = await make_buyer(live_client, live_runtime, fake, live_sign_in)
        responses = await asyncio.gather(*(buyer.checkout() for _ in range(8)))

        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["session_id"] for response in responses}) == 1
        assert len(fake.account.all(Customer)) == 1

    async def test_a_customer_that_was_deleted_at_stripe_is_replaced(self, buyer: Buyer) -> None:
        await buyer.checkout()
        (customer,) = buyer.fake.account.all(Customer)

        await buyer.runtime.resource(StripeApi).call(lambda client: client.v1.customers.delete_async(customer.id))
        assert (await buyer.checkout()).status_code == 200


class TestAttacks:
    @pytest.mark.parametrize("name", ["success_url", "cancel_url"])
    async def test_no_redirect_to_foreign_origins(self, buyer: Buyer, name: str) -> None:
        for url in FOREIGN:
            response = await buyer.checkout(**{name: url})
            assert (response.status_code, response.json()["error"]["code"]) == (400, "RETURN_URL_NOT_ALLOWED"), url
            assert (await buyer.get("/portal", return_url=url)).status_code == 400

    async def test_a_redirect_to_an_own_front_end(self, buyer: Buyer) -> None:
        response = await buyer.checkout(success_url="http://testserver/done?a=1#b", cancel_url="http://testserver/no")
        landing = (await submit(response.json()["url"])).headers["Location"]
        assert landing == f"http://testserver/done?a=1&session_id={response.json()['session_id']}#b"

    async def test_no_odd_quantity(self, buyer: Buyer) -> None:
        odd: list[Any] = [0, -1, 10_001, 10**30, 1.5, "1e9", None]
        for quantity in odd:
            assert (await buyer.checkout(quantity=quantity)).status_code == 422, quantity
        assert buyer.fake.account.all(CheckoutSession) == []

    async def test_no_plan_that_is_not_sold(self, buyer: Buyer) -> None:
        for plan in ("free", "none", "PRO", "pro\x00", "a" * 51):
            assert (await buyer.checkout(plan=plan)).status_code in {400, 422}, plan

    async def test_no_price_of_the_callers_choice(self, buyer: Buyer) -> None:
        assert (await buyer.checkout(price="price_1")).status_code == 422
        assert (await buyer.checkout(trial_days=700)).status_code == 422

    async def test_another_users_session_is_not_found(self, buyer: Buyer, sign_in: SignIn) -> None:
        session_id = await buyer.buy()
        other = await make_buyer(buyer.client, buyer.runtime, buyer.fake, sign_in, "other@example.com")
        response = await other.sync(session_id)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert (await other.status())["plan"] == "free"

    async def test_a_forged_success_page_grants_nothing(self, buyer: Buyer) -> None:
        session = (await buyer.checkout()).json()
        for forged in (session["session_id"], "cs_test_forged"):
            await buyer.sync(forged)
            page = await buyer.client.get("/api/v1/public/billing/return", params={"session_id": forged})
            assert page.status_code == 200
            assert "Thank you" not in page.text
        assert (await buyer.status())["plan"] == "free"

    @pytest.mark.parametrize("session_id", ["cs_/../x", "sub_1", "cs_" + "a" * 300, "cs_a%00"])
    async def test_no_session_id_that_is_none(self, buyer: Buyer, session_id: str) -> None:
        assert (await buyer.sync(session_id)).status_code in {404, 422}

    async def test_a_purchase_needs_a_token(self, buyer: Buyer) -> None:
        buyer.headers = {}
        assert (await buyer.checkout()).status_code == 401


class TestFailure:
    async def test_an_outage_is_one_clear_error(self, buyer: Buyer) -> None:
        buyer.fake.faults.down = -1
        response = await buyer.checkout()
        assert (response.status_code, response.json()["error"]["code"]) == (503, "BILLING_UNAVAILABLE")
        assert response.headers["Retry-After"] == "60"

    async def test_a_short_outage_is_not_noticed(self, buyer: Buyer) -> None:
        buyer.fake.faults.down = 1
        assert (await buyer.checkout()).status_code == 200

    async def test_a_lost_answer_makes_no_second_customer(self, buyer: Buyer) -> None:
        buyer.fake.faults.lost = 1
        assert (await buyer.checkout()).status_code == 200
        assert len(buyer.fake.account.all(Customer)) == 1


async def end(buyer: Buyer, subscription_id: str) -> None:
    """End a subscription at once, as an operator does."""

    await buyer.runtime.resource(StripeApi).cancel_subscription(subscription_id)
