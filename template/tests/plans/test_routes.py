"""The routes for plans and usage."""

from datetime import UTC, datetime
from uuid import UUID

import httpx

from app.core.runtime import Runtime
from tests.conftest import SignIn
from tests.plans.conftest import Limited

API = "/api/v1/app"


class TestPlans:
    async def test_lists_the_plans_and_the_current_one(
        self, client: httpx.AsyncClient, sign_in: SignIn, limited: Limited, user_id: UUID
    ) -> None:
        now = limited.clock.now
        limited.subscriptions.subscribe(user_id, "pro", now, now.replace(year=2100))
        body = (await client.get(f"{API}/plans", headers=await sign_in())).json()

        assert body["current"] == "pro"
        assert [plan["name"] for plan in body["items"]] == ["free", "pro", "max"]
        assert body["items"][1]["prices"] == [
            {"key": "pro_monthly", "amount": 1900, "currency": "usd", "interval": "month"}
        ]
        assert body["items"][2]["limits"]["team_members"] is None

    async def test_needs_a_user(self, client: httpx.AsyncClient) -> None:
        for path in ("plans", "usage"):
            assert (await client.get(f"{API}/{path}")).status_code == 401


class TestUsage:
    async def test_lists_the_used_and_the_remaining_quota(
        self, client: httpx.AsyncClient, sign_in: SignIn, limited: Limited, user_id: UUID, runtime: Runtime
    ) -> None:
        limited.clock.now = datetime(2027, 1, 31, 12, tzinfo=UTC)
        async with runtime.database.transaction() as session:
            await limited.plans.reserve(session, user_id, "ai_requests", 3)
            await limited.plans.reserve(session, user_id, "storage_mb", 1_500_000)
        body = (await client.get(f"{API}/usage", headers=await sign_in())).json()

        assert body["plan"] == "free"
        items = {item.pop("resource"): item for item in body["items"]}
        assert items["ai_requests"] == {"limit": 10, "used": 3, "remaining": 7, "resets_at": "2027-02-01T00:00:00Z"}
        assert items["storage_mb"] == {"limit": 10, "used": 2, "remaining": 8, "resets_at": None}
        assert items["seats"] == {"limit": 10, "used": 0, "remaining": 10, "resets_at": None}

    async def test_shows_unlimited_as_null(
        self, client: httpx.AsyncClient, sign_in: SignIn, limited: Limited, user_id: UUID
    ) -> None:
        now = limited.clock.now
        limited.subscriptions.subscribe(user_id, "max", now, now.replace(year=2100))
        body = (await client.get(f"{API}/usage", headers=await sign_in())).json()
        assert {(item["limit"], item["remaining"]) for item in body["items"]} == {(None, None)}
