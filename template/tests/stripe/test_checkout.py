"""Purchases: from the request to the plan."""

from tests.stripe.conftest import Buyer


class TestPurchase:
    async def test_the_webhook_gives_the_plan(self, buyer: Buyer) -> None:
        assert (await buyer.status())["plan"] == "free"
        await buyer.buy()
        assert (await buyer.status())["plan"] == "free"

        await buyer.deliver()

        status = await buyer.status()
        assert status["plan"] == "pro"
        (subscription,) = status["subscriptions"]
        assert (subscription["provider"], subscription["status"], subscription["product"]) == (
            "stripe",
            "trialing",
            "pro_monthly",
        )

    async def test_the_success_page_does_not_wait_for_the_webhook(self, buyer: Buyer) -> None:
        session_id = await buyer.buy()
        response = await buyer.sync(session_id)

        assert response.status_code == 200
        assert response.json()["plan"] == "pro"
