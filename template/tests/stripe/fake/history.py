"""A history that has objects of every kind."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import payments
from app.dev.servers.stripe.cards import CARDS, replace_card
from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.payments import Charge
from tests.stripe.fake.shop import Shop, item_of


async def live(fake: StripeFake, shop: Shop) -> list[Json]:
    """Live through it, and return the objects that the account doesn't keep."""
    fake.listen("http://127.0.0.1:9/webhook")
    client = shop.client
    coupon = await client.v1.coupons.create_async({"percent_off": 20, "duration": "once"})
    await client.v1.promotion_codes.create_async({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "NEW"})
    session = await shop.checkout(quantity=2)
    await shop.submit(session.url, card="4242", action="pay", code="NEW")
    trial = await shop.buy(trial_days=14)
    await shop.checkout()
    await client.v1.subscriptions.update_async(trial.id, {"cancel_at_period_end": True})
    subscription = (await client.v1.subscriptions.list_async({"customer": shop.customer})).data[-1]
    preview = await client.v1.invoices.create_preview_async({"subscription": subscription.id})
    await client.v1.subscriptions.update_async(
        subscription.id,
        {"items": [{"id": item_of(subscription).id, "price": shop.bigger}], "proration_behavior": "always_invoice"},
    )
    charge = (await client.v1.charges.list_async({"customer": shop.customer})).data[0]
    await client.v1.refunds.create_async({"charge": charge.id, "amount": 100})
    dispute(fake.account, charge.id)
    fail_renewal(fake, shop)
    paused = await shop.buy()
    await client.v1.subscriptions.pause_async(paused.id)
    await client.v1.billing_portal.configurations.create_async({"features": {"invoice_history": {"enabled": True}}})
    await client.v1.billing_portal.sessions.create_async({"customer": shop.customer})
    meter = await client.v1.billing.meters.create_async(
        {"display_name": "Requests", "event_name": "requests", "default_aggregation": {"formula": "sum"}}
    )
    await client.v1.billing.meter_events.create_async(
        {"event_name": "requests", "payload": {"stripe_customer_id": shop.customer, "value": "3"}}
    )
    start = fake.account.now // 60 * 60
    summaries = await client.v1.billing.meters.event_summaries.list_async(
        meter.id, {"customer": shop.customer, "start_time": start - 60, "end_time": start + 60}
    )
    return [preview.to_dict(), *(summary.to_dict() for summary in summaries.data)]


def dispute(account: Account, charge: str) -> None:
    """Dispute a charge, and lose."""
    payments.close_dispute(account, payments.dispute(account, account.find(Charge, charge)), won=False)


def fail_renewal(fake: StripeFake, shop: Shop) -> None:
    """Let the renewals fail until the subscription ends."""
    card = next(card for card in CARDS if card.last4 == "0341")
    replace_card(fake.account, card, fake.account.find(Customer, shop.customer))
    fake.advance("+1month")
    fake.advance("+1month")
