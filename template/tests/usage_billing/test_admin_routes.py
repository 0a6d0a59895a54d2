"""The routes of usage for administrators."""

from uuid import UUID, uuid4

import httpx
import pytest

from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.usage_billing.models import MeterErrorReport
from app.usage_billing.sender import send_due
from tests.conftest import SignIn
from tests.usage_billing.conftest import counted, record, records

USAGE = "/api/v1/admin/usage"


@pytest.fixture
async def rejected(runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID) -> str:
    """A record that Stripe has rejected, after one that it has counted."""
    await record(runtime, user_id, 5)
    await send_due(runtime)
    await record(runtime, user_id, 7)
    gone = stripe_fake.account.objects["customer"].pop(customer)
    await send_due(runtime)
    stripe_fake.account.objects["customer"][customer] = gone
    return str((await records(runtime))[1].id)


class TestRecords:
    async def test_are_listed_by_state(
        self, client: httpx.AsyncClient, admin: dict[str, str], rejected: str, customer: str
    ) -> None:
        everything = (await client.get(f"{USAGE}/records", headers=admin)).json()
        assert [(item["state"], item["quantity"]) for item in everything["items"]] == [("rejected", 7), ("sent", 5)]
        (item,) = (await client.get(f"{USAGE}/records", headers=admin, params={"state": "rejected"})).json()["items"]
        assert (item["id"], item["customer_id"]) == (rejected, customer)
        assert item["reason"] == "meter_event_customer_not_found"

    async def test_can_be_sent_again(
        self,
        client: httpx.AsyncClient,
        admin: dict[str, str],
        rejected: str,
        runtime: Runtime,
        stripe_fake: StripeFake,
    ) -> None:
        answer = await client.post(f"{USAGE}/records/{rejected}/send", headers=admin)
        assert (answer.status_code, answer.json()["state"]) == (200, "pending")
        await send_due(runtime)
        assert sorted(counted(stripe_fake)) == [5, 7]

        assert (await client.post(f"{USAGE}/records/{rejected}/send", headers=admin)).status_code == 409
        assert (await client.post(f"{USAGE}/records/{uuid4()}/send", headers=admin)).status_code == 404

    async def test_are_for_administrators(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        for path in ("records", "error-reports"):
            assert (await client.get(f"{USAGE}/{path}", headers=await sign_in())).status_code == 403


class TestErrorReports:
    async def test_are_listed(self, client: httpx.AsyncClient, admin: dict[str, str], runtime: Runtime) -> None:
        values = {"event_id": "evt_1", "meter_id": "mtr_1", "code": "no_meter", "error_count": 3, "message": "None."}
        async with runtime.database.transaction() as session:
            session.add(MeterErrorReport.model_validate(values))
        (item,) = (await client.get(f"{USAGE}/error-reports", headers=admin)).json()["items"]
        assert (item["code"], item["error_count"]) == ("no_meter", 3)
