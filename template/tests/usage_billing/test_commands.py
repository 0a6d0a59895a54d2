"""The command `app billing usage`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from app.core.db.models import utc_now
from app.core.lifecycle import create_runtime, running
from app.core.runtime import Runtime
from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.fake import StripeFake
from app.modules import MODULES
from app.stripe.api import StripeApi
from app.stripe.customers import ensure_customer
from app.usage_billing.sender import send_due
from app.usage_billing.setup import meters_and_prices
from app.users.models import User
from tests.databases import Databases
from tests.stripe.conftest import StripeServer
from tests.usage_billing.conftest import METER


@pytest.fixture
async def own_runtime(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime on a database that the command finds in its environment."""
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        async with running(create_runtime(MODULES), background=False) as started:
            yield started


@pytest.fixture
async def fake(own_runtime: Runtime, stripe_server: StripeServer, prepared: list[Account]) -> StripeFake:
    """The fake, which has counted a record of an hour ago, and has rejected another."""
    fake = stripe_server.reset(prepared[0] if prepared else None)
    for change in await meters_and_prices(own_runtime):
        await change.apply()
    user = User(email="user@example.com")
    async with own_runtime.database.transaction() as session:
        session.add(user)
    customer = await ensure_customer(own_runtime, own_runtime.resource(StripeApi), user.id)
    await record(own_runtime, user.id, 5)
    gone = fake.account.objects["customer"].pop(customer)
    await record(own_runtime, user.id, 7)
    fake.account.objects["customer"][customer] = gone
    return fake


async def record(runtime: Runtime, user_id: UUID, quantity: int) -> None:
    """Record usage of an hour ago, and send it if Stripe takes it."""
    async with runtime.database.transaction() as session:
        await runtime.usage.record(session, user_id, METER, quantity, at=utc_now() - timedelta(hours=1))
    await send_due(runtime)


async def run(*arguments: str) -> Result:
    """Run `app billing usage …`, in a thread, since it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["billing", "usage", *arguments])


async def test_shows_sums_compares_them_and_sends_rejected_records_again(
    fake: StripeFake, own_runtime: Runtime
) -> None:
    shown = (await run()).output.splitlines()[-2:]
    assert shown == [
        "ai_tokens: rejected (meter_event_customer_not_found): 1 records, 7 units",
        "ai_tokens: sent: 1 records, 5 units",
    ]
    equal = await run("--reconcile")
    assert (equal.exit_code, equal.output.splitlines()[-1]) == (0, "1 sums compared, 0 differ.")

    assert "1 records will be sent again." in (await run("--send-again")).output
    await send_due(own_runtime)
    assert "ai_tokens: sent: 2 records, 12 units" in (await run()).output

    fake.account.meter_events.pop()
    different = await run("--reconcile")
    assert different.exit_code == 1
    assert ": 12 sent, Stripe counted 5" in different.output
