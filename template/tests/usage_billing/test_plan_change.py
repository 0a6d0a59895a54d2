"""A change of the billing interval: the metered prices change with the plan's."""

import httpx

from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.subscriptions import Subscription
from tests.conftest import SignIn
from tests.stripe.conftest import StripeServer, make_buyer, prepare


async def test_the_metered_price_gets_the_interval_of_the_plan(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, stripe_server: StripeServer
) -> None:
    buyer = await make_buyer(client, runtime, await prepare(stripe_server, runtime), sign_in)
    await buyer.subscribe(plan="enterprise")
    (subscription,) = buyer.fake.account.all(Subscription)
    assert {item.price.lookup_key for item in subscription.items} == {"enterprise_monthly", "ai_tokens_monthly"}

    wanted = {"plan": "enterprise", "interval": "yearly"}
    preview = (await buyer.get("/change", **wanted)).json()
    changed = await buyer.post("/change", wanted | {"proration_date": preview["proration_date"]})

    assert changed.status_code == 200
    assert {item.price.lookup_key for item in subscription.items} == {"enterprise_yearly", "ai_tokens_yearly"}
