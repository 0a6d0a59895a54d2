"""Stripe's reports about usage that it rejected late."""

import json
import time
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.objects.thin import METER_ERRORS, EventDestination
from app.dev.servers.stripe.webhooks import Message, signature
from app.kit.resilience.resilient import Resilient
from app.stripe.api import StripeApi
from app.stripe.errors import is_transient
from app.stripe.setup import StripeSetup
from app.usage_billing.models import MeterErrorReport, UsageState
from app.usage_billing.reconciliation import reconcile
from app.usage_billing.sender import send_due
from tests.payments.histories import attempt_all
from tests.usage_billing.conftest import record, records, states

URL = "/api/v1/public/webhooks/stripe-meters"
SECRET = "whsec_of_the_destination"
EVENT = {"id": "evt_1", "object": "v2.core.event", "type": METER_ERRORS, "related_object": {"id": "mtr_1"}}


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the event destination."""
    monkeypatch.setenv("STRIPE_METER_WEBHOOK_SECRET", SECRET)


async def post(client: httpx.AsyncClient, event: object, *, secret: str = SECRET) -> httpx.Response:
    """Send an event."""
    body = json.dumps(event).encode()
    return await client.post(URL, content=body, headers={"Stripe-Signature": signature(body, secret, int(time.time()))})


class TestReport:
    async def test_marks_the_records_and_is_stored(
        self, client: httpx.AsyncClient, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        account = stripe_fake.account
        account.add(
            EventDestination(
                id="ed_1", created=account.now, name="meters", enabled_events=[METER_ERRORS], secret=SECRET, url=URL
            )
        )
        await record(runtime, user_id, 5, 7)
        bad = (await records(runtime))[1]
        account.rejected_identifiers.add(str(bad.id))
        account.deliveries.clear()
        assert await send_due(runtime) == 2
        assert await states(runtime) == [UsageState.SENT, UsageState.SENT]

        async def deliver(message: Message) -> int:
            return (await client.post(message.url, content=message.body, headers=message.headers)).status_code

        stripe_fake.faults.repeat = 2
        assert await stripe_fake.deliver(deliver) == 1
        # An outage that lasts longer than the attempts: the reconciliation makes them again.
        stripe_fake.faults.down = -1
        await runtime.queue.drain(raises=False)
        await attempt_all(runtime)
        assert await states(runtime) == [UsageState.SENT, UsageState.SENT]
        stripe_fake.faults.down = 0
        runtime.resource(StripeApi)._resilient = Resilient("stripe", transient=is_transient)  # noqa: SLF001 - the circuit is open
        await reconcile(runtime)
        await runtime.queue.drain()

        assert await states(runtime) == [UsageState.SENT, UsageState.REJECTED]
        assert (await records(runtime))[1].reason == "meter_event_customer_not_found"
        async with runtime.database.reading() as session:
            (report,) = (await session.scalars(select(MeterErrorReport))).all()
        assert (report.code, report.error_count) == ("meter_event_customer_not_found", 1)

    async def test_ignores_other_events(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        assert (await post(client, EVENT | {"type": "v1.other"})).status_code == 202
        await runtime.queue.drain()

    @pytest.mark.parametrize("event", [{"id": 7}, [], {"type": METER_ERRORS}, "text"])
    async def test_refuses_a_body_that_is_no_event(self, client: httpx.AsyncClient, event: object) -> None:
        assert (await post(client, event)).status_code == 400

    async def test_refuses_another_signature(self, client: httpx.AsyncClient) -> None:
        assert (await post(client, EVENT, secret="whsec_other")).status_code == 400
        assert (await client.post(URL, json=EVENT)).status_code == 400


async def test_without_a_secret_there_is_no_webhook(client: httpx.AsyncClient, runtime: Runtime) -> None:
    from app.usage_billing.settings import UsageBillingSettings  # noqa: PLC0415

    runtime.provide(UsageBillingSettings, UsageBillingSettings(STRIPE_METER_WEBHOOK_SECRET=""))
    assert (await post(client, EVENT)).status_code == 404


class TestSetup:
    async def test_creates_meters_prices_and_the_destination_once(
        self, runtime: Runtime, stripe_fake: StripeFake
    ) -> None:
        stripe_fake.account.objects.pop("billing.meter")
        stripe_fake.account.objects.pop("price")
        setup = runtime.resource(StripeSetup)
        for change in await setup.changes(runtime):
            await change.apply()
        assert [change.text for change in await setup.changes(runtime)] == []
        (meter,) = stripe_fake.account.objects["billing.meter"].values()
        assert vars(meter)["event_name"] == "ai_tokens"
        assert len(stripe_fake.account.objects["v2.core.event_destination"]) == 1

        vars(meter)["display_name"] = "Old"
        (change,) = await setup.changes(runtime)
        assert change.text == "Rename the meter ai_tokens to AI tokens"
