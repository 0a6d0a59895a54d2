"""Events in the life of a subscription at Stripe, for the tests."""

from datetime import datetime
from typing import Any

from app.dev.servers.stripe.cards import by_last4, replace_card
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.stripe.api import StripeApi
from tests.stripe.conftest import Buyer


def change_card(buyer: Buyer, last4: str) -> None:
    """Replace the customer's card."""
    card = by_last4(last4)
    assert card is not None
    replace_card(buyer.fake.account, card, buyer.fake.account.all(Customer)[0])


async def end_at(buyer: Buyer, moment: datetime) -> None:
    """Set the date on which the subscription ends, as the portal and the Dashboard do."""
    (subscription,) = buyer.fake.account.all(Subscription)
    api = buyer.runtime.resource(StripeApi)
    await api.update_subscription(subscription.id, {"cancel_at": int(moment.timestamp())})
    await buyer.deliver()


async def advance(buyer: Buyer, *steps: str) -> None:
    """Move the clock of the provider, and process what happened."""
    for step in steps:
        buyer.fake.advance(step)
        await buyer.deliver()


async def change(buyer: Buyer, plan: str, **wanted: int | str) -> None:
    """Change the plan or the seats, and process what happened."""
    preview = (await buyer.get("/change", plan=plan, **wanted)).json()
    body = {"plan": plan, "proration_date": preview["proration_date"], **wanted}
    assert (await buyer.post("/change", body)).status_code == 200
    await buyer.deliver()


async def only(buyer: Buyer) -> dict[str, Any]:
    """The user's only subscription, with the user's plan."""
    status = await buyer.status()
    (subscription,) = status["subscriptions"]
    return {**subscription, "current": status["plan"]}
