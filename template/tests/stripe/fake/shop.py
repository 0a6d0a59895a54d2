"""A small shop at the fake, for its tests."""

from dataclasses import dataclass
from typing import Final, Self

import httpx
import stripe

SUCCESS: Final = "http://localhost:3000/ok?session={CHECKOUT_SESSION_ID}"
CANCEL: Final = "http://localhost:3000/plans"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shop:
    """Two plans, one of them also by the year, and a customer."""

    client: stripe.StripeClient
    browser: httpx.AsyncClient
    product: str
    monthly: str
    yearly: str
    bigger: str
    customer: str

    @classmethod
    async def open(cls, client: stripe.StripeClient, browser: httpx.AsyncClient) -> Self:
        """Create everything."""
        product = await client.v1.products.create_async({"name": "Pro"})

        async def price(key: str, amount: int, interval: str) -> str:
            made = await client.v1.prices.create_async(
                {
                    "product": product.id,
                    "currency": "usd",
                    "unit_amount": amount,
                    "recurring": {"interval": interval},
                    "lookup_key": key,
                }
            )
            return made.id

        customer = await client.v1.customers.create_async({"email": "me@example.com", "metadata": {"user_id": "1"}})
        return cls(
            client=client,
            browser=browser,
            product=product.id,
            monthly=await price("pro_monthly", 1000, "month"),
            yearly=await price("pro_yearly", 10_000, "year"),
            bigger=await price("team_monthly", 3000, "month"),
            customer=customer.id,
        )

    async def checkout(
        self, price: str | None = None, *, quantity: int = 1, trial_days: int = 0
    ) -> stripe.checkout.Session:
        """Create a checkout."""
        data: stripe.params.checkout.SessionCreateParamsSubscriptionData = {"metadata": {"user_id": "1"}}
        if trial_days:
            data["trial_period_days"] = trial_days
        return await self.client.v1.checkout.sessions.create_async(
            {
                "mode": "subscription",
                "customer": self.customer,
                "client_reference_id": "1",
                "line_items": [{"price": price or self.monthly, "quantity": quantity}],
                "subscription_data": data,
                "allow_promotion_codes": True,
                "success_url": SUCCESS,
                "cancel_url": CANCEL,
            }
        )

    async def buy(
        self, price: str | None = None, *, quantity: int = 1, trial_days: int = 0, card: str = "4242"
    ) -> stripe.Subscription:
        """Go through a checkout, and return the subscription."""
        session = await self.checkout(price, quantity=quantity, trial_days=trial_days)
        await self.submit(session.url, card=card, action="confirm")
        done = await self.client.v1.checkout.sessions.retrieve_async(session.id)
        assert isinstance(done.subscription, str)
        return await self.subscription(done.subscription)

    async def submit(self, url: str | None, **form: str) -> httpx.Response:
        """Send the form of a page."""
        assert url is not None
        return await self.browser.post(url, data=form)

    async def page(self, url: str | None) -> httpx.Response:
        """Return a page."""
        assert url is not None
        return await self.browser.get(url)

    async def subscription(self, subscription_id: str) -> stripe.Subscription:
        """Return a subscription as it is now."""
        return await self.client.v1.subscriptions.retrieve_async(subscription_id)

    async def invoices(self) -> list[stripe.Invoice]:
        """Return the customer's invoices, the newest first."""
        return (await self.client.v1.invoices.list_async({"customer": self.customer, "limit": 100})).data


def item_of(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    """Return the only item of a subscription. The attribute `items` is the method of a mapping."""
    items: stripe.ListObject[stripe.SubscriptionItem] = subscription["items"]
    return items.data[0]
