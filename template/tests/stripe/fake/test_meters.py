"""Usage that is reported and billed."""

from decimal import Decimal
from typing import Literal

import pytest
import stripe

from app.dev.servers.stripe.fake import StripeFake
from tests.stripe.fake.shop import Shop, item_of


@pytest.fixture
async def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    """A meter that sums up."""
    return await client.v1.billing.meters.create_async(
        {"display_name": "Tokens", "event_name": "tokens", "default_aggregation": {"formula": "sum"}}
    )


async def report(shop: Shop, value: int, *, identifier: str, timestamp: int | None = None) -> None:
    """Report usage of the customer."""
    params: stripe.params.billing.MeterEventCreateParams = {
        "event_name": "tokens",
        "payload": {"stripe_customer_id": shop.customer, "value": str(value)},
        "identifier": identifier,
    }
    if timestamp is not None:
        params["timestamp"] = timestamp
    await shop.client.v1.billing.meter_events.create_async(params)


async def total(shop: Shop, meter: stripe.billing.Meter, now: int) -> float:
    """Return the customer's usage around now."""
    start = now // 60 * 60
    found = await shop.client.v1.billing.meters.event_summaries.list_async(
        meter.id, {"customer": shop.customer, "start_time": start - 3600, "end_time": start + 3600}
    )
    return sum(one.aggregated_value for one in found.data)


async def test_the_same_identifier_counts_once(fake: StripeFake, shop: Shop, meter: stripe.billing.Meter) -> None:
    await report(shop, 3, identifier="a")
    await report(shop, 4, identifier="b")
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        await report(shop, 3, identifier="a")

    assert await total(shop, meter, fake.account.now) == 7


@pytest.mark.parametrize(
    ("offset", "code"), [(-36 * 86_400, "timestamp_too_far_in_past"), (600, "timestamp_in_future")]
)
async def test_the_time_must_be_recent(
    fake: StripeFake, shop: Shop, meter: stripe.billing.Meter, offset: int, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await report(shop, 1, identifier="a", timestamp=fake.account.now + offset)

    assert caught.value.code == code
    assert await total(shop, meter, fake.account.now) == 0


async def test_a_meter_event_can_fail_after_it_was_accepted(
    fake: StripeFake, shop: Shop, meter: stripe.billing.Meter
) -> None:
    fake.account.rejected_identifiers.add("late")

    await report(shop, 3, identifier="late")

    assert await total(shop, meter, fake.account.now) == 0


async def test_an_unknown_meter_or_customer_is_rejected(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No active meter"):
        await report(shop, 1, identifier="a")


async def test_usage_is_billed_at_the_end_of_the_period(
    fake: StripeFake, shop: Shop, meter: stripe.billing.Meter
) -> None:
    price = await shop.client.v1.prices.create_async(
        {
            "product": shop.product,
            "currency": "usd",
            "unit_amount": 5,
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
        }
    )
    method = await shop.client.v1.payment_methods.attach_async("pm_card_visa", {"customer": shop.customer})
    await shop.client.v1.subscriptions.create_async(
        {
            "customer": shop.customer,
            "items": [{"price": shop.monthly}, {"price": price.id}],
            "default_payment_method": method.id,
        }
    )
    await report(shop, 100, identifier="a")

    fake.advance("+32days")

    invoices = await shop.invoices()
    assert [one.amount_paid for one in invoices] == [1500, 1000]
    assert sorted((line.quantity, line.amount) for line in invoices[0].lines.data) == [(1, 1000), (100, 500)]


@pytest.mark.parametrize("at_once", [True, False])
async def test_usage_is_billed_when_the_subscription_ends(
    fake: StripeFake, shop: Shop, meter: stripe.billing.Meter, *, at_once: bool
) -> None:
    """A price of a fraction of a cent counts as well."""
    price = await shop.client.v1.prices.create_async(
        {
            "product": shop.product,
            "currency": "usd",
            "unit_amount_decimal": Decimal("0.25"),
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
        }
    )
    method = await shop.client.v1.payment_methods.attach_async("pm_card_visa", {"customer": shop.customer})
    bought = await shop.client.v1.subscriptions.create_async(
        {"customer": shop.customer, "items": [{"price": price.id}], "default_payment_method": method.id}
    )
    await report(shop, 1002, identifier="a")
    if at_once:
        await shop.client.v1.subscriptions.cancel_async(bought.id, {"invoice_now": True})
    else:
        await shop.client.v1.subscriptions.update_async(bought.id, {"cancel_at_period_end": True})
        fake.advance("+32days")

    invoices = await shop.invoices()
    assert [(line.quantity, line.amount) for line in invoices[0].lines.data] == [(1002, 251)]


@pytest.mark.parametrize(
    ("proration", "mode", "billed"),
    [
        ("always_invoice", "flexible", [(100, 500), (7, 70)]),
        ("create_prorations", "flexible", [(100, 500), (7, 70)]),
        ("none", "flexible", [(7, 70)]),
        ("always_invoice", "classic", [(7, 70)]),
    ],
)
async def test_usage_before_a_metered_price_is_replaced(
    fake: StripeFake,
    shop: Shop,
    meter: stripe.billing.Meter,
    *,
    proration: Literal["always_invoice", "create_prorations", "none"],
    mode: Literal["classic", "flexible"],
    billed: list[tuple[int, int]],
) -> None:
    """It is billed at the old price, at once or with the next invoice, and later usage at the new price."""
    old, new = [
        await shop.client.v1.prices.create_async(
            {
                "product": shop.product,
                "currency": "usd",
                "unit_amount": amount,
                "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
            }
        )
        for amount in (5, 10)
    ]
    method = await shop.client.v1.payment_methods.attach_async("pm_card_visa", {"customer": shop.customer})
    bought = await shop.client.v1.subscriptions.create_async(
        {
            "customer": shop.customer,
            "items": [{"price": old.id}],
            "default_payment_method": method.id,
            "billing_mode": {"type": mode},
        }
    )
    await report(shop, 100, identifier="a")
    fake.advance("+1day")
    await shop.client.v1.subscriptions.update_async(
        bought.id,
        {
            "items": [{"id": item_of(bought).id, "deleted": True}, {"price": new.id}],
            "proration_behavior": proration,
        },
    )
    await report(shop, 7, identifier="b")
    # Too late: the usage before the change has been billed.
    await report(shop, 1000, identifier="c", timestamp=fake.account.now - 3600)

    fake.advance("+32days")

    invoices = (await shop.invoices())[::-1]
    lines = [(line.quantity, line.amount) for invoice in invoices for line in invoice.lines.data if line.quantity]
    assert sorted(lines) == sorted(billed)
    assert len(invoices) == (3 if (proration, mode) == ("always_invoice", "flexible") else 2)
