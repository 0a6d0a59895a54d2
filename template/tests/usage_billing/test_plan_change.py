"""A change of the billing interval: the metered prices change with the plan's, and no usage is lost."""

from uuid import UUID

import httpx

from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.usage_billing.sender import send_due
from tests.conftest import SignIn
from tests.stripe.conftest import StripeServer, make_buyer, prepare
from tests.usage_billing.conftest import record


async def test_the_metered_price_gets_the_interval_of_the_plan_and_earlier_usage_is_billed_once(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, stripe_server: StripeServer
) -> None:
    buyer = await make_buyer(client, runtime, await prepare(stripe_server, runtime), sign_in)
    account = buyer.fake.account
    # An older account. Its classic subscriptions lose this usage.
    account.default_billing_mode = "classic"
    await buyer.subscribe(plan="enterprise")
    (subscription,) = account.all(Subscription)
    assert {item.price.lookup_key for item in subscription.items} == {"enterprise_monthly", "ai_tokens_monthly"}
    await record(runtime, UUID(buyer.user_id), 2_500_000)
    await send_due(runtime)
    buyer.fake.advance("+1day")

    wanted = {"plan": "enterprise", "interval": "yearly"}
    preview = (await buyer.get("/change", **wanted)).json()
    changed = await buyer.post("/change", wanted | {"proration_date": preview["proration_date"]})

    assert changed.status_code == 200
    assert {item.price.lookup_key for item in subscription.items} == {"enterprise_yearly", "ai_tokens_yearly"}
    invoice = account.find(Invoice, str(subscription.latest_invoice))
    assert (invoice.billing_reason, invoice.amount_due) == ("subscription_update", preview["amount_due"])
    assert [line.amount for line in invoice.lines if line.quantity == 2_500_000] == [500]

    buyer.fake.advance("+370days")
    lines = [line for each in account.all(Invoice) for line in each.lines if line.quantity == 2_500_000]
    assert [line.amount for line in lines] == [500]
