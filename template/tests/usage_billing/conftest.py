"""Usage with the fake of Stripe: its meters are set up, and a user is a customer."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.runtime import Runtime
from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.fake import StripeFake
from app.stripe.api import StripeApi
from app.stripe.customers import ensure_customer
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.sender import send_due
from app.usage_billing.setup import meters_and_prices
from tests.conftest import ME, SignIn
from tests.stripe.conftest import StripeServer, stripe_server, stripe_settings

__all__ = ["stripe_server", "stripe_settings"]

METER = "ai_tokens"


@pytest.fixture(scope="session")
def prepared() -> list[Account]:
    """An account with the meters of meters.toml, once a test has made it."""
    return []


@pytest.fixture
async def stripe_fake(stripe_server: StripeServer, runtime: Runtime, prepared: list[Account]) -> StripeFake:
    """The fake, with the meters of meters.toml."""
    if not prepared:
        fake = stripe_server.reset()
        for change in await meters_and_prices(runtime):
            await change.apply()
        fake.account.deliveries.clear()
        prepared.append(fake.account)
    return stripe_server.reset(prepared[0])


@pytest.fixture
async def user_id(client: httpx.AsyncClient, sign_in: SignIn) -> UUID:
    """A user who is no customer."""
    return UUID((await client.get(ME, headers=await sign_in())).json()["id"])


@pytest.fixture
async def customer(runtime: Runtime, stripe_fake: StripeFake, user_id: UUID) -> str:
    """The user's customer at Stripe."""
    assert stripe_fake
    return await ensure_customer(runtime, runtime.resource(StripeApi), user_id)


async def record(runtime: Runtime, user_id: UUID, *quantities: int, key: str | None = None) -> None:
    """Record usage."""
    async with runtime.database.transaction() as session:
        for quantity in quantities:
            await runtime.usage.record(session, user_id, METER, quantity, key=key)


async def records(runtime: Runtime) -> list[UsageRecord]:
    """Return all records, the oldest first."""
    async with runtime.database.reading() as session:
        return list(await session.scalars(select(UsageRecord).order_by(col(UsageRecord.id))))


async def states(runtime: Runtime) -> list[UsageState]:
    """Return the state of every record, the oldest first."""
    return [record.state for record in await records(runtime)]


def counted(fake: StripeFake) -> list[int]:
    """Return the quantities that Stripe has counted."""
    return [int(event.payload["value"]) for event in fake.account.meter_events]


async def send(runtime: Runtime) -> int:
    """Send what is due, and what waits for a retry."""
    await make_due(runtime)
    return await send_due(runtime)


async def make_due(runtime: Runtime) -> None:
    """Make every pending record due now."""
    async with runtime.database.transaction() as session:
        for row in await session.scalars(select(UsageRecord).where(col(UsageRecord.state) == UsageState.PENDING)):
            row.due_at = row.created_at
