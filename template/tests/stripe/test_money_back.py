"""Refunds, disputes and invoices that are written off."""

from typing import Literal

import pytest

from app.dev.servers.stripe.billing import payments
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.payments import Charge, Dispute
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.stripe.api import StripeApi
from tests.stripe.conftest import Buyer
from tests.stripe.life import advance, change, change_card, only


class TestMoneyBack:
    async def test_a_full_refund_ends_access(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        (charge,) = buyer.fake.account.all(Charge)
        api = buyer.runtime.resource(StripeApi)
        await api.call(lambda client: client.v1.refunds.create_async({"charge": charge.id, "amount": 100}))
        await buyer.deliver()
        assert (await only(buyer))["current"] == "enterprise"

        await api.call(lambda client: client.v1.refunds.create_async({"charge": charge.id}))
        await buyer.deliver()
        assert ((await only(buyer))["status"], (await only(buyer))["current"]) == ("refunded", "free")

    @pytest.mark.parametrize("disputed", [False, True])
    async def test_of_the_period_ends_access_even_after_a_change(self, buyer: Buyer, disputed: bool) -> None:  # noqa: FBT001
        await buyer.subscribe(plan="enterprise", quantity=1)
        await advance(buyer, "+1day")
        await change(buyer, "enterprise", quantity=2)
        account = buyer.fake.account
        first, _ = sorted(account.all(Charge), key=lambda charge: charge.created)
        if disputed:
            payments.dispute(account, first)
        else:
            payments.refund(account, first, None, None, {})
        await buyer.deliver()
        assert ((await only(buyer))["status"], (await only(buyer))["current"]) == ("refunded", "free")

    async def test_of_a_period_that_has_ended_changes_nothing(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise", quantity=1)
        await advance(buyer, "+1month", "+1day")
        await change(buyer, "enterprise", quantity=2)
        account = buyer.fake.account
        first = min(account.all(Charge), key=lambda charge: charge.created)
        payments.refund(account, first, None, None, {})
        await buyer.deliver()
        assert (await only(buyer))["current"] == "enterprise"

    @pytest.mark.parametrize(("won", "plan"), [(True, "enterprise"), (False, "free")])
    async def test_a_dispute_ends_access_until_it_is_won(self, buyer: Buyer, won: bool, plan: str) -> None:  # noqa: FBT001
        await buyer.subscribe(plan="enterprise")
        account = buyer.fake.account
        payments.dispute(account, account.all(Charge)[0])
        await buyer.deliver()
        assert (await only(buyer))["current"] == "free"

        payments.close_dispute(account, account.all(Dispute)[0], won=won)
        await buyer.deliver()
        assert (await only(buyer))["current"] == plan

    @pytest.mark.parametrize("disputed", [False, True])
    async def test_of_an_upgrade_leaves_the_plan_that_the_period_paid_for(self, buyer: Buyer, disputed: bool) -> None:  # noqa: FBT001
        await buyer.subscribe(plan="pro", quantity=3)
        await advance(buyer, "+1month", "+1day")
        paid = await only(buyer)
        await change(buyer, "enterprise", quantity=5)
        await advance(buyer, "+1day")
        await change(buyer, "enterprise", quantity=6)
        assert ((await only(buyer))["current"], (await only(buyer))["quantity"]) == ("enterprise", 6)

        for plan, quantity in (("enterprise", 5), ("pro", 3), ("free", 3)):
            give_back(buyer, newest_charge(buyer), disputed=disputed)
            await buyer.deliver()
            now = await only(buyer)
            assert now["current"] == plan
            assert plan == "free" or (now["quantity"], now["access_until"]) == (quantity, paid["period_end"])
        assert (await only(buyer))["status"] == "refunded"

    async def test_of_a_changed_interval_ends_access(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        await advance(buyer, "+3days")
        await change(buyer, "enterprise", interval="yearly")
        give_back(buyer, newest_charge(buyer), disputed=False)
        await buyer.deliver()
        assert ((await only(buyer))["status"], (await only(buyer))["current"]) == ("refunded", "free")

    async def test_leaves_a_subscription_that_can_be_cancelled_at_once(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        give_back(buyer, newest_charge(buyer), disputed=False)
        await buyer.deliver()
        error = (await buyer.checkout()).json()["error"]
        assert (error["code"], error["details"]) == ("SUBSCRIPTION_UNPAID", {})

        await buyer.post("/cancel")
        assert [one.status for one in buyer.fake.account.all(Subscription)] == ["canceled"]
        assert (await buyer.checkout()).status_code == 200


class TestWrittenOff:
    @pytest.mark.parametrize("status", ["active", "past_due"])
    async def test_a_voided_renewal_gives_no_access_until_the_next_one(
        self, buyer: Buyer, status: Literal["active", "past_due"]
    ) -> None:
        first = await buyer.subscribe(plan="enterprise")
        change_card(buyer, "0341")
        await advance(buyer, "+1month", "+2hours")
        assert (await only(buyer))["status"] == "past_due"

        invoice, (subscription,) = buyer.fake.account.all(Invoice)[-1], buyer.fake.account.all(Subscription)
        api = buyer.runtime.resource(StripeApi)
        await api.call(lambda client: client.v1.invoices.void_invoice_async(invoice.id))
        subscription.status = status
        await buyer.deliver()
        voided = await only(buyer)
        assert (voided["status"], voided["grace_end"]) == ("active", None)
        assert voided["access_until"] == first["period_end"]

        change_card(buyer, "4242")
        await advance(buyer, "+1month", "+2hours")
        renewed = await only(buyer)
        assert (renewed["status"], renewed["access_until"]) == ("active", renewed["period_end"])


def newest_charge(buyer: Buyer) -> Charge:
    """The newest charge that was not given back."""
    charges = buyer.fake.account.all(Charge)
    return [charge for charge in charges if not (charge.refunded or charge.disputed)][-1]


def give_back(buyer: Buyer, charge: Charge, *, disputed: bool) -> None:
    """Refund a charge in full, or let its holder dispute it."""
    if disputed:
        payments.dispute(buyer.fake.account, charge)
    else:
        payments.refund(buyer.fake.account, charge, None, None, {})
