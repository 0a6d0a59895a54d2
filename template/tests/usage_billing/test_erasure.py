"""Erasure of users who are billed for usage: deleting an account is no way around the last invoice."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.meters import Meter
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.payments.port import ProviderUnavailableError
from app.usage_billing.models import UsageState
from app.usage_billing.sender import BATCH, send_due
from app.usage_billing.statements import claim
from app.users.erasure import erase_user
from tests.conftest import SignIn
from tests.stripe.conftest import Buyer, StripeServer, make_buyer, prepare
from tests.usage_billing.conftest import counted, record, records, states


def last_invoice(buyer: Buyer) -> list[tuple[int | None, int]]:
    """Return the quantity and the amount of each line of the newest invoice."""
    newest = max(buyer.fake.account.all(Invoice), key=lambda invoice: invoice.id)
    return [(line.quantity, line.amount) for line in newest.lines]


async def test_the_last_invoice_contains_the_usage(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, stripe_server: StripeServer
) -> None:
    buyer = await make_buyer(client, runtime, await prepare(stripe_server, runtime), sign_in)
    await buyer.subscribe(plan="enterprise")
    before = len(buyer.fake.account.all(Invoice))
    await record(runtime, UUID(buyer.user_id), 2_500_000)
    await send_due(runtime)
    await erase_user(runtime, UUID(buyer.user_id))

    assert len(buyer.fake.account.all(Invoice)) == before + 1
    assert last_invoice(buyer) == [(2_500_000, 500)]


async def test_usage_that_is_not_sent_yet_is_sent_first(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, stripe_server: StripeServer
) -> None:
    """Also usage that another process has claimed, and more than one batch."""
    buyer = await make_buyer(client, runtime, await prepare(stripe_server, runtime), sign_in)
    await buyer.subscribe(plan="enterprise")
    await record(runtime, UUID(buyer.user_id), 2_500_000, *[1] * BATCH)
    assert len(await claim(runtime.database, 1, timedelta(minutes=1))) == 1

    await erase_user(runtime, UUID(buyer.user_id))

    assert last_invoice(buyer) == [(2_500_000 + BATCH, 500)]
    assert await records(runtime) == []


async def test_a_user_is_not_erased_while_their_usage_cannot_be_sent(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, stripe_server: StripeServer
) -> None:
    buyer = await make_buyer(client, runtime, await prepare(stripe_server, runtime), sign_in)
    await buyer.subscribe(plan="enterprise")
    await record(runtime, UUID(buyer.user_id), 2_500_000)
    buyer.fake.faults.down = -1
    with pytest.raises(ProviderUnavailableError):
        await erase_user(runtime, UUID(buyer.user_id))
    assert await states(runtime) == [UsageState.PENDING]
    assert [one.status for one in buyer.fake.account.all(Subscription)] == ["active"]

    buyer.fake.faults.down = 0
    await erase_user(runtime, UUID(buyer.user_id))
    assert last_invoice(buyer) == [(2_500_000, 500)]


async def test_a_meter_that_is_missing_does_not_prevent_the_erasure(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, stripe_server: StripeServer
) -> None:
    buyer = await make_buyer(client, runtime, await prepare(stripe_server, runtime), sign_in)
    await buyer.subscribe(plan="enterprise")
    for meter in buyer.fake.account.all(Meter):
        meter.status = "inactive"
    await record(runtime, UUID(buyer.user_id), *[1] * (BATCH + 1))

    assert await erase_user(runtime, UUID(buyer.user_id))
    assert counted(buyer.fake) == []
