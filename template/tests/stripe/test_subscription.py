"""The life of a subscription: changes, cancellation, renewals, failures."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import PortalConfiguration, PortalSession
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.payments import Charge
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.stripe.api import StripeApi
from tests.conftest import SignIn
from tests.stripe.conftest import Buyer, make_buyer
from tests.stripe.life import advance, change_card, end_at, only


class TestCancellation:
    async def test_access_lasts_to_the_end_of_the_paid_period(self, buyer: Buyer) -> None:
        paid = await buyer.subscribe(plan="enterprise")
        response = await buyer.post("/cancel")
        (cancelled,) = response.json()["subscriptions"]

        assert (cancelled["status"], cancelled["cancel_at_period_end"]) == ("cancelled", True)
        assert cancelled["access_until"] == paid["period_end"]
        assert response.json()["plan"] == "enterprise"

        await advance(buyer, "+1month", "+1day")
        assert ((await only(buyer))["current"], (await only(buyer))["status"]) == ("free", "expired")

    async def test_can_be_undone(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        for _ in range(2):
            await buyer.post("/cancel")
        response = await buyer.post("/resume")
        (resumed,) = response.json()["subscriptions"]
        assert (resumed["status"], resumed["cancel_at_period_end"]) == ("active", False)

    async def test_in_the_portal_is_a_date(self, buyer: Buyer) -> None:
        paid = await buyer.subscribe(plan="enterprise")
        await end_at(buyer, datetime.fromisoformat(paid["period_end"]))
        cancelled = await only(buyer)
        assert (cancelled["status"], cancelled["cancel_at_period_end"]) == ("cancelled", True)
        (resumed,) = (await buyer.post("/resume")).json()["subscriptions"]
        assert (resumed["status"], resumed["cancel_at_period_end"]) == ("active", False)

    async def test_comes_before_a_later_date(self, buyer: Buyer) -> None:
        paid = await buyer.subscribe(plan="enterprise")
        later = datetime.fromisoformat(paid["period_end"]) + timedelta(days=180)
        await end_at(buyer, later)
        assert ((await only(buyer))["status"], (await only(buyer))["cancel_at_period_end"]) == ("active", False)

        await buyer.post("/resume")
        assert buyer.fake.account.all(Subscription)[0].cancel_at == int(later.timestamp())

        await buyer.post("/cancel")
        await advance(buyer, "+1month", "+1day")
        assert ((await only(buyer))["status"], len(buyer.fake.account.all(Charge))) == ("expired", 1)

    async def test_of_one_that_is_not_paid_ends_it_at_once(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        buyer.fake.account.dunning.then = "unpaid"
        change_card(buyer, "0341")
        await advance(buyer, "+1month", "+20days")
        (subscription,) = buyer.fake.account.all(Subscription)
        assert (subscription.status, (await only(buyer))["status"]) == ("unpaid", "expired")

        assert (await buyer.post("/cancel")).status_code == 200
        assert subscription.status == "canceled"
        assert (await buyer.checkout()).status_code == 200
        assert (await buyer.post("/cancel")).json()["error"]["code"] == "NOT_SUBSCRIBED"

    async def test_of_nothing_is_an_error(self, buyer: Buyer) -> None:
        for path in ("/cancel", "/resume"):
            response = await buyer.post(path)
            assert (response.status_code, response.json()["error"]["code"]) == (409, "NOT_SUBSCRIBED")

    async def test_of_another_users_subscription_is_an_error(self, buyer: Buyer, sign_in: SignIn) -> None:
        theirs = await buyer.subscribe(plan="enterprise")
        other = await make_buyer(buyer.client, buyer.runtime, buyer.fake, sign_in, "other@example.com")
        response = await other.post("/cancel", {"subscription_id": theirs["id"]})
        assert response.status_code == 409
        assert not buyer.fake.account.all(Subscription)[0].cancel_at_period_end


class TestChange:
    async def preview(self, buyer: Buyer, **wanted: str | int) -> dict[str, Any]:
        response = await buyer.get("/change", **wanted)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def test_costs_as_much_as_the_preview_showed(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="pro")
        await advance(buyer, "+1month")
        invoices = len(buyer.fake.account.all(Invoice))
        preview = await self.preview(buyer, plan="enterprise")
        assert preview["amount_due"] > 0

        body = {"plan": "enterprise", "proration_date": preview["proration_date"]}
        response = await buyer.post("/change", body)
        assert (response.status_code, response.json()["plan"]) == (200, "enterprise")
        made = buyer.fake.account.all(Invoice)[invoices:]
        assert [(invoice.amount_paid, invoice.status) for invoice in made] == [(preview["amount_due"], "paid")]

        # The answer was lost, and the client repeats the request.
        assert (await buyer.post("/change", body)).status_code == 200
        assert len(buyer.fake.account.all(Invoice)) == invoices + 1

    async def test_of_seats(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise", quantity=2)
        preview = await self.preview(buyer, plan="enterprise", quantity=5)
        body = {"plan": "enterprise", "quantity": 5, "proration_date": preview["proration_date"]}
        (changed,) = (await buyer.post("/change", body)).json()["subscriptions"]
        assert changed["quantity"] == 5

    async def test_a_declined_payment_changes_nothing(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise", quantity=1)
        change_card(buyer, "0341")
        preview = await self.preview(buyer, plan="enterprise", quantity=50)
        body = {"plan": "enterprise", "quantity": 50, "proration_date": preview["proration_date"]}
        response = await buyer.post("/change", body)
        assert (response.status_code, response.json()["error"]["code"]) == (402, "PAYMENT_FAILED")
        assert ((await only(buyer))["quantity"], (await only(buyer))["current"]) == (1, "enterprise")

    @pytest.mark.parametrize("at", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2020-01-01T00:00:00"])
    async def test_needs_a_recent_preview(self, buyer: Buyer, at: str) -> None:
        await buyer.subscribe(plan="pro")
        response = await buyer.post("/change", {"plan": "enterprise", "proration_date": at})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "PREVIEW_EXPIRED")

    async def test_to_a_plan_that_is_not_sold_is_an_error(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="pro")
        for wanted in ({"plan": "free"}, {"plan": "pro", "quantity": -1}, {"plan": "pro", "quantity": 10**9}):
            assert (await buyer.get("/change", **wanted)).status_code in {400, 422}


class TestRenewal:
    async def test_extends_the_period(self, buyer: Buyer) -> None:
        first = await buyer.subscribe(plan="enterprise")
        await advance(buyer, "+1month")
        renewed = await only(buyer)
        assert renewed["status"] == "active"
        assert datetime.fromisoformat(renewed["period_end"]) > datetime.fromisoformat(first["period_end"])

    async def test_that_fails_has_a_grace_period(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        change_card(buyer, "0341")
        await advance(buyer, "+1month", "+2hours")
        late = await only(buyer)
        assert late["status"] == "past_due"
        assert late["access_until"] == late["grace_end"]

        await advance(buyer, "+20days")
        assert ((await only(buyer))["status"], (await only(buyer))["current"]) == ("expired", "free")

    async def test_that_is_paid_late_is_active_again(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        change_card(buyer, "0341")
        await advance(buyer, "+1month")
        change_card(buyer, "4242")
        await advance(buyer, "+5days")
        assert (await only(buyer))["status"] == "active"

    async def test_a_trial_becomes_active(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="pro")
        await advance(buyer, "+15days")
        assert (await only(buyer))["status"] == "active"


class TestPause:
    async def test_ends_access_with_the_paid_period(self, buyer: Buyer) -> None:
        paid = await buyer.subscribe(plan="enterprise")
        (subscription,) = buyer.fake.account.all(Subscription)
        api = buyer.runtime.resource(StripeApi)
        await api.update_subscription(subscription.id, {"pause_collection": {"behavior": "void"}})
        await buyer.deliver()
        paused = await only(buyer)
        assert (paused["status"], paused["access_until"]) == ("paused", paid["period_end"])
        assert paused["current"] == "enterprise"

        await advance(buyer, "+1month")
        later = await only(buyer)
        assert (later["status"], later["access_until"]) == ("paused", paid["period_end"])

        response = await buyer.post("/resume")
        assert response.json()["subscriptions"][0]["status"] == "active"


class TestReading:
    async def test_invoices_have_pages(self, buyer: Buyer) -> None:
        assert (await buyer.get("/invoices")).json() == {"items": [], "next": None}
        await buyer.subscribe(plan="enterprise")
        await advance(buyer, "+1month", "+1month")
        first = (await buyer.get("/invoices", limit=2)).json()
        second = (await buyer.get("/invoices", limit=2, after=first["next"])).json()
        numbers = [item["id"] for item in (*first["items"], *second["items"])]
        assert (len(numbers), len(set(numbers)), second["next"]) == (3, 3, None)

    async def test_the_portal_needs_a_customer(self, buyer: Buyer) -> None:
        assert (await buyer.get("/portal")).status_code == 409
        await buyer.subscribe()
        assert (await buyer.get("/portal")).json()["url"].startswith(buyer.fake.account.base_url)
        (session,) = buyer.fake.account.all(PortalSession)
        (configuration,) = buyer.fake.account.all(PortalConfiguration)
        assert session.configuration == configuration.id

    async def test_the_portal_of_a_deleted_customer_is_one_clear_error(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        (customer,) = buyer.fake.account.all(Customer)
        await buyer.runtime.resource(StripeApi).call(lambda client: client.v1.customers.delete_async(customer.id))
        response = await buyer.get("/portal")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "NOT_SUBSCRIBED")


class TestSeveral:
    async def test_the_highest_plan_counts(self, buyer: Buyer, runtime: Runtime) -> None:
        """A second subscription that an operator made at Stripe."""
        await buyer.subscribe(plan="pro")
        (customer,) = buyer.fake.account.all(Customer)
        api = runtime.resource(StripeApi)
        (price,) = await api.prices(["enterprise_monthly"])
        await api.call(
            lambda client: client.v1.subscriptions.create_async(
                {"customer": customer.id, "items": [{"price": price.id}], "trial_period_days": 3}
            )
        )
        await buyer.deliver()
        status = await buyer.status()
        assert (status["plan"], len(status["subscriptions"])) == ("enterprise", 2)

        chosen = next(each["id"] for each in status["subscriptions"] if each["plan"] == "pro")
        response = await buyer.post("/cancel", {"subscription_id": chosen})
        states = {each["plan"]: each["status"] for each in response.json()["subscriptions"]}
        assert states == {"pro": "cancelled", "enterprise": "trialing"}
