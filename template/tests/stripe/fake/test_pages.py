"""The pages that a customer sees."""

import re

import pytest
import stripe

from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.objects.subscriptions import Subscription
from tests.stripe.fake.shop import CANCEL, Shop

FEATURES: stripe.params.billing_portal.ConfigurationCreateParamsFeatures = {
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {"enabled": True},
}


async def test_a_checkout_shows_the_order_and_loads_nothing_from_elsewhere(shop: Shop) -> None:
    session = await shop.checkout(quantity=3)

    answer = await shop.page(session.url)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:3000" in policy
    assert "This is a fake of Stripe" in answer.text
    assert "30.00 USD" in answer.text
    assert not re.search(r"<script|https?://", answer.text)


async def test_a_paid_checkout_leads_to_the_success_url(shop: Shop) -> None:
    session = await shop.checkout()

    answer = await shop.submit(session.url, card="4242", action="pay")

    assert (answer.status_code, answer.headers["location"]) == (303, f"http://localhost:3000/ok?session={session.id}")
    done = await shop.client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription"]})
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert isinstance(done.subscription, stripe.Subscription)
    assert done.subscription.metadata.to_dict() == {"user_id": "1"}


@pytest.mark.parametrize("card", ["0002", "9995", "0341"])
async def test_a_declined_card_leaves_the_checkout_open(fake: StripeFake, shop: Shop, card: str) -> None:
    session = await shop.checkout()

    answer = await shop.submit(session.url, card=card, action="pay")

    assert 'role="alert"' in answer.text
    assert fake.account.all(Subscription) == []
    assert (await shop.client.v1.checkout.sessions.retrieve_async(session.id)).status == "open"


async def test_the_bank_asks_for_confirmation(fake: StripeFake, shop: Shop) -> None:
    session = await shop.checkout()

    asked = await shop.submit(session.url, card="3184", action="pay")
    assert "3-D Secure" in asked.text
    refused = await shop.submit(session.url, card="3184", action="fail")
    assert "didn't confirm" in refused.text or "didn&#x27;t confirm" in refused.text
    assert fake.account.all(Subscription) == []

    assert (await shop.submit(session.url, card="3184", action="confirm")).status_code == 303
    assert [one.status for one in fake.account.all(Subscription)] == ["active"]


async def test_going_back_leads_to_the_cancel_url(shop: Shop) -> None:
    session = await shop.checkout()

    answer = await shop.submit(session.url, card="4242", action="cancel")

    assert answer.headers["location"] == CANCEL


async def test_a_checkout_is_completed_once_and_expires_after_a_day(fake: StripeFake, shop: Shop) -> None:
    paid, left = await shop.checkout(), await shop.checkout()
    await shop.submit(paid.url, card="4242", action="pay")

    again = await shop.submit(paid.url, card="4242", action="pay")
    fake.advance("+25hours")

    assert again.status_code == 410
    assert len(fake.account.all(Subscription)) == 1
    assert (await shop.page(left.url)).status_code == 410
    assert (await shop.client.v1.checkout.sessions.retrieve_async(left.id)).status == "expired"


async def test_a_promotion_code_takes_its_part_off(shop: Shop) -> None:
    coupon = await shop.client.v1.coupons.create_async({"percent_off": 25, "duration": "once"})
    await shop.client.v1.promotion_codes.create_async(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SPRING", "max_redemptions": 1}
    )
    first, second = await shop.checkout(), await shop.checkout()

    await shop.submit(first.url, card="4242", action="pay", code="spring")
    refused = await shop.submit(second.url, card="4242", action="pay", code="SPRING")

    assert (await shop.invoices())[0].amount_paid == 750
    assert "This code is invalid." in refused.text


async def test_the_portal_cancels_resumes_and_replaces_the_card(shop: Shop) -> None:
    subscription = await shop.buy()
    await shop.client.v1.billing_portal.configurations.create_async({"features": FEATURES})
    session = await shop.client.v1.billing_portal.sessions.create_async(
        {"customer": shop.customer, "return_url": "http://localhost:3000/account"}
    )
    assert "Cancel subscription" in (await shop.page(session.url)).text

    await shop.submit(session.url, action="cancel", subscription=subscription.id)
    assert (await shop.subscription(subscription.id)).cancel_at_period_end
    await shop.submit(session.url, action="resume", subscription=subscription.id)
    assert not (await shop.subscription(subscription.id)).cancel_at_period_end
    await shop.submit(session.url, action="card", card="0341")
    assert "0341" in (await shop.page(session.url)).text


async def test_the_portal_changes_only_the_customers_own_subscriptions(shop: Shop) -> None:
    subscription = await shop.buy()
    stranger = await shop.client.v1.customers.create_async({"email": "stranger@example.com"})
    await shop.client.v1.billing_portal.configurations.create_async({"features": FEATURES})
    session = await shop.client.v1.billing_portal.sessions.create_async({"customer": stranger.id})

    answer = await shop.submit(session.url, action="cancel", subscription=subscription.id)

    assert answer.status_code == 404
    assert not (await shop.subscription(subscription.id)).cancel_at_period_end


async def test_the_portal_needs_a_configuration(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No configuration provided"):
        await shop.client.v1.billing_portal.sessions.create_async({"customer": shop.customer})


async def test_an_invoice_that_needs_confirmation_is_paid_on_its_page(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy(card="3184")
    kinds = [event.type for event in fake.advance("+32days")]
    assert "invoice.payment_action_required" in kinds
    invoice = (await shop.invoices())[0]

    await shop.submit(invoice.hosted_invoice_url, card="3184")

    assert (await shop.subscription(subscription.id)).status == "active"
    assert "paid" in (await shop.page(invoice.hosted_invoice_url)).text
