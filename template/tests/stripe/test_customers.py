"""The address of a user's customer at Stripe."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.auth.events import IdentityChanged
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.customers import Customer
from app.users.models import user_identities
from tests.stripe.conftest import Buyer

type Move = Callable[[str | None], Awaitable[None]]


@pytest.fixture
def move(buyer: Buyer, runtime: Runtime) -> Move:  # noqa: ARG001 - the user must exist
    """Change the buyer's address at the identity provider, later each time."""
    now = [utc_now()]

    async def move(email: str | None) -> None:
        now[0] += timedelta(minutes=1)
        async with runtime.database.transaction() as session:
            identity = (await session.execute(select(user_identities))).one()
            event = IdentityChanged(
                provider=identity.provider, subject=identity.subject, email=email, name=None, at=now[0]
            )
            await runtime.events.publish(session, event)
        await runtime.queue.drain()

    return move


async def test_follows_the_users(buyer: Buyer, move: Move) -> None:
    await move("early@example.com")
    await buyer.checkout()
    (customer,) = buyer.fake.account.all(Customer)
    assert customer.email == "early@example.com"

    for email in ("New@example.com", "new@example.com", None):
        await move(email)
        assert customer.email == "new@example.com"
    changes = [request for request in buyer.fake.api.log if request.path == f"/v1/customers/{customer.id}"]
    assert len(changes) == 1


async def test_an_outage_delays_it(buyer: Buyer, move: Move) -> None:
    await buyer.checkout()
    (customer,) = buyer.fake.account.all(Customer)
    buyer.fake.faults.down = 3
    await move("new@example.com")
    assert customer.email == "new@example.com"


async def test_a_customer_that_was_deleted_at_stripe_is_forgotten(buyer: Buyer, move: Move) -> None:
    await buyer.checkout()
    buyer.fake.account.remove(buyer.fake.account.all(Customer)[0])
    await move("new@example.com")
    await buyer.checkout()
    (customer,) = buyer.fake.account.all(Customer)
    assert customer.email == "new@example.com"
