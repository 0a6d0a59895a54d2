"""Emails about subscriptions: each once."""

from collections import Counter

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.ports.events import Event, UserNotice
from app.dev.servers.stripe.objects.customers import PaymentMethod
from app.dev.servers.stripe.objects.invoices import Invoice
from app.payments.models import BillingNotice
from app.stripe.snapshots import money
from tests.stripe.conftest import Buyer, submit
from tests.stripe.life import advance, change_card


async def kinds(buyer: Buyer) -> Counter[str]:
    """Return the number of notices of each kind that were sent."""
    async with buyer.runtime.database.reading() as session:
        keys = await session.scalars(select(col(BillingNotice.key)))
    return Counter(key.partition("/")[0] for key in keys)


def record_notices(buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> list[UserNotice]:
    """Record the notices that are published from now on."""
    sent: list[UserNotice] = []
    publish = buyer.runtime.events.publish

    async def record(session: AsyncSession, event: Event) -> None:
        if isinstance(event, UserNotice):
            sent.append(event)
        await publish(session, event)

    monkeypatch.setattr(buyer.runtime.events, "publish", record)
    return sent


class TestNotices:
    async def test_a_payment_has_a_receipt(self, buyer: Buyer) -> None:
        buyer.fake.faults.repeat = 3
        await buyer.subscribe(plan="enterprise")
        assert await kinds(buyer) == {"receipt": 1}
        await advance(buyer, "+1month", "+2hours")
        assert await kinds(buyer) == {"receipt": 2}

    async def test_a_trial_has_a_reminder_and_no_receipt(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="pro")
        assert await kinds(buyer) == {}
        await advance(buyer, "+12days")
        assert await kinds(buyer) == {"trial_ends": 1}

    async def test_a_failed_payment_and_the_end(self, buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
        await buyer.subscribe(plan="enterprise")
        sent = record_notices(buyer, monkeypatch)
        change_card(buyer, "0341")
        await advance(buyer, "+1month", "+2hours", "+3days")
        assert await kinds(buyer) == {"receipt": 1, "payment_failed": 1}
        (invoice,) = [each for each in buyer.fake.account.all(Invoice) if each.status == "open"]
        assert [notice.url for notice in sent if notice.title == "Your payment failed"] == [invoice.hosted_invoice_url]
        await advance(buyer, "+20days")
        assert await kinds(buyer) == {"receipt": 1, "payment_failed": 1, "ended": 1}

    async def test_a_renewal_that_the_bank_wants_confirmed(self, buyer: Buyer) -> None:
        session = (await buyer.checkout(plan="enterprise")).json()
        await submit(session["url"], card="3184", action="confirm")
        await buyer.deliver()
        await advance(buyer, "+1month", "+2hours")
        assert (await kinds(buyer))["action_required"] == 1

    async def test_a_change_of_plan(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="pro")
        preview = (await buyer.get("/change", plan="enterprise")).json()
        await buyer.post("/change", {"plan": "enterprise", "proration_date": preview["proration_date"]})
        await buyer.deliver()
        assert (await kinds(buyer))["plan_changed"] == 1

    async def test_a_card_that_expires_before_the_renewal(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        (method,) = buyer.fake.account.all(PaymentMethod)
        now = utc_now()
        method.card.exp_month, method.card.exp_year = now.month, now.year
        # A month later, the period that ends is the one after the card's last month.
        for _ in range(2):
            await advance(buyer, "+1month")
        assert (await kinds(buyer))["card_expires"] == 1

    @pytest.mark.parametrize(
        ("amount", "currency", "text"),
        [(1900, "usd", "19.00 USD"), (500, "jpy", "500 JPY"), (1500, "kwd", "1.500 KWD")],
    )
    def test_amounts_are_shown_in_their_currency(self, amount: int, currency: str, text: str) -> None:
        assert money(amount, currency) == text
