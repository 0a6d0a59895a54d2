"""The effects of time and of changes on subscriptions."""

from datetime import UTC, datetime

import pytest
import stripe

from app.dev.servers.stripe.billing.periods import period_end
from app.dev.servers.stripe.cards import by_last4, replace_card
from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.objects.catalog import Price, Recurring
from app.dev.servers.stripe.objects.customers import Customer
from tests.stripe.fake.shop import Shop, item_of


def use_card(fake: StripeFake, shop: Shop, last4: str) -> None:
    """Let another card pay from now on."""
    card = by_last4(last4)
    assert card is not None
    replace_card(fake.account, card, fake.account.find(Customer, shop.customer))


def types(fake: StripeFake, step: str) -> list[str]:
    """Move the clock, and return the types of the events about subscriptions and invoices."""
    kinds = [event.type for event in fake.advance(step)]
    return [kind.removeprefix("customer.") for kind in kinds if kind.startswith(("customer.subscription", "invoice."))]


async def test_a_subscription_renews_every_month(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy(quantity=2)
    first = item_of(subscription)

    happened = types(fake, "+32days")

    renewed = await shop.subscription(subscription.id)
    assert happened == [
        "invoice.created",
        "subscription.updated",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    assert renewed.status == "active"
    assert item_of(renewed).current_period_start == first.current_period_end
    assert [(one.amount_paid, one.billing_reason) for one in await shop.invoices()] == [
        (2000, "subscription_cycle"),
        (2000, "subscription_create"),
    ]


async def test_a_trial_is_announced_and_then_paid(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy(trial_days=14)
    assert (subscription.status, (await shop.invoices())[0].amount_due) == ("trialing", 0)

    assert types(fake, "+12days") == ["subscription.trial_will_end"]
    fake.advance("+3days")

    assert (await shop.subscription(subscription.id)).status == "active"
    assert (await shop.invoices())[0].amount_paid == 1000


async def test_a_renewal_that_fails_is_retried_and_then_ends_the_subscription(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    use_card(fake, shop, "0341")

    fake.advance("+32days")
    assert (await shop.subscription(subscription.id)).status == "past_due"
    invoice = (await shop.invoices())[0]
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt is not None) == ("open", 1, True)

    fake.advance("+16days")
    ended = await shop.subscription(subscription.id)
    assert ended.status == "canceled"
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.reason == "payment_failed"


async def test_a_new_card_pays_at_the_next_attempt(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    use_card(fake, shop, "0341")
    fake.advance("+32days")
    use_card(fake, shop, "4242")

    fake.advance("+3days")

    assert (await shop.subscription(subscription.id)).status == "active"
    assert (await shop.invoices())[0].status == "paid"


async def test_an_open_invoice_can_be_paid_through_the_api(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    use_card(fake, shop, "0341")
    fake.advance("+32days")
    invoice = (await shop.invoices())[0]
    with pytest.raises(stripe.CardError) as caught:
        await shop.client.v1.invoices.pay_async(invoice.id)
    assert caught.value.code == "card_declined"

    method = await shop.client.v1.payment_methods.attach_async("pm_card_visa", {"customer": shop.customer})
    await shop.client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})

    assert (await shop.subscription(subscription.id)).status == "active"


async def test_cancelling_at_the_end_of_the_period_can_be_taken_back(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    update = shop.client.v1.subscriptions.update_async
    cancelled = await update(subscription.id, {"cancel_at_period_end": True})
    assert (cancelled.status, cancelled.cancel_at) == ("active", item_of(subscription).current_period_end)

    await update(subscription.id, {"cancel_at_period_end": False})
    fake.advance("+32days")
    assert (await shop.subscription(subscription.id)).status == "active"

    await update(subscription.id, {"cancel_at_period_end": True})
    assert types(fake, "+1month")[-1] == "subscription.deleted"
    assert (await shop.subscription(subscription.id)).status == "canceled"


async def test_the_preview_equals_the_cost_of_the_change(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    fake.advance("+10days")
    item = item_of(subscription).id
    details: stripe.params.InvoiceCreatePreviewParamsSubscriptionDetails = {
        "items": [{"id": item, "price": shop.bigger}],
        "proration_behavior": "always_invoice",
    }
    preview = await shop.client.v1.invoices.create_preview_async(
        {"subscription": subscription.id, "subscription_details": details}
    )
    assert preview.parent is not None
    assert preview.parent.subscription_details is not None
    at = preview.parent.subscription_details.subscription_proration_date
    assert at is not None
    fake.advance("+1hour")

    await shop.client.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": [{"id": item, "price": shop.bigger}],
            "proration_behavior": "always_invoice",
            "proration_date": at,
            "payment_behavior": "error_if_incomplete",
        },
    )

    invoice = (await shop.invoices())[0]
    assert 0 < invoice.amount_paid < 2000
    assert (invoice.amount_paid, invoice.billing_reason) == (preview.amount_due, "subscription_update")
    assert [line.amount for line in invoice.lines.data] == [line.amount for line in preview.lines.data]


async def test_a_change_that_cannot_be_paid_changes_nothing(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    use_card(fake, shop, "0341")

    with pytest.raises(stripe.CardError):
        await shop.client.v1.subscriptions.update_async(
            subscription.id,
            {
                "items": [{"id": item_of(subscription).id, "price": shop.bigger}],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
            },
        )

    assert item_of(await shop.subscription(subscription.id)).price.id == shop.monthly
    assert len(await shop.invoices()) == 1


async def test_prorations_wait_for_the_next_invoice(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    await shop.client.v1.subscriptions.update_async(
        subscription.id, {"items": [{"id": item_of(subscription).id, "quantity": 3}]}
    )
    upcoming = await shop.client.v1.invoices.create_preview_async({"subscription": subscription.id})

    fake.advance("+32days")

    assert (await shop.invoices())[0].amount_paid == upcoming.amount_due == 5000


async def test_a_downgrade_leaves_credit(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy(shop.bigger)
    await shop.client.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": [{"id": item_of(subscription).id, "price": shop.monthly}],
            "proration_behavior": "always_invoice",
        },
    )
    assert (await shop.client.v1.customers.retrieve_async(shop.customer)).balance == -2000

    fake.advance("+32days")

    invoice = (await shop.invoices())[0]
    assert (invoice.total, invoice.amount_due, invoice.ending_balance) == (1000, 0, -1000)
    text = (await shop.page(invoice.hosted_invoice_url)).text
    assert "Customer balance</th><td>-10.00 USD" in text
    assert "Amount paid" in text


async def test_another_interval_begins_a_new_period(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    fake.advance("+10days")

    changed = await shop.client.v1.subscriptions.update_async(
        subscription.id, {"items": [{"id": item_of(subscription).id, "price": shop.yearly}]}
    )

    assert item_of(changed).current_period_end - item_of(changed).current_period_start >= 365 * 86_400
    assert 9000 < (await shop.invoices())[0].amount_paid < 10_000


async def test_a_paused_subscription_resumes_with_a_payment(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    assert (await shop.client.v1.subscriptions.pause_async(subscription.id)).status == "paused"
    fake.advance("+3months")
    assert len(await shop.invoices()) == 1

    resumed = await shop.client.v1.subscriptions.resume_async(subscription.id)

    assert resumed.status == "active"
    assert item_of(resumed).current_period_start >= fake.account.now - 5
    assert len(await shop.invoices()) == 2


async def test_while_collection_is_paused_invoices_are_void(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    await shop.client.v1.subscriptions.update_async(subscription.id, {"pause_collection": {"behavior": "void"}})

    fake.advance("+32days")

    assert (await shop.subscription(subscription.id)).status == "active"
    assert (await shop.invoices())[0].status == "void"


async def test_a_refund_leaves_the_subscription(shop: Shop) -> None:
    subscription = await shop.buy()
    charge = (await shop.client.v1.charges.list_async({"customer": shop.customer})).data[0]

    await shop.client.v1.refunds.create_async({"charge": charge.id})

    assert (await shop.client.v1.charges.retrieve_async(charge.id)).refunded
    assert (await shop.subscription(subscription.id)).status == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        await shop.client.v1.refunds.create_async({"charge": charge.id})


async def test_deleting_a_customer_ends_its_subscriptions(shop: Shop) -> None:
    subscription = await shop.buy()

    await shop.client.v1.customers.delete_async(shop.customer)

    assert (await shop.subscription(subscription.id)).status == "canceled"


@pytest.mark.parametrize(("day", "expected"), [("2027-01-31", ["02-28", "03-31", "04-30"])])
def test_the_31st_renews_on_the_last_day_of_shorter_months(day: str, expected: list[str]) -> None:
    price = Price(id="p", created=0, currency="usd", product="x", recurring=Recurring(interval="month"))
    anchor = at = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    found = []
    for _month in expected:
        at = period_end(at, price, anchor)
        found.append(f"{datetime.fromtimestamp(at, UTC):%m-%d}")
    assert found == expected
