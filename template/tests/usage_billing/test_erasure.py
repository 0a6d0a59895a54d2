"""Erasure of users who are billed for usage: deleting an account is no way around the last invoice."""

from uuid import UUID

import httpx

from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.invoices import Invoice
from app.usage_billing.sender import send_due
from app.users.erasure import erase_user
from tests.conftest import SignIn
from tests.stripe.conftest import Buyer, StripeServer, make_buyer, prepare
from tests.usage_billing.conftest import record


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
