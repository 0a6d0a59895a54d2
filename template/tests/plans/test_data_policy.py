"""Personal data, retention and metrics of usage."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.core.data_policy.daily_report import make_report
from app.core.data_policy.personal_data import export_user
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.plans.data_policy import KEPT
from app.plans.models import PlanUsage
from app.users.erasure import erase_user
from tests.plans.conftest import Limited


@pytest.fixture
async def counted(runtime: Runtime, limited: Limited, user_id: UUID) -> UUID:
    """A user who has used a counter and a level."""
    async with runtime.database.transaction() as session:
        await limited.plans.reserve(session, user_id, "ai_requests", 3)
        await limited.plans.reserve(session, user_id, "seats", 2)
    return user_id


async def rows(runtime: Runtime) -> int:
    """The number of rows."""
    async with runtime.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(PlanUsage)) or 0


async def test_an_export_contains_the_usage(runtime: Runtime, counted: UUID) -> None:
    exported = json.loads(b"".join([part async for part in export_user(runtime, counted)]))
    assert {row["resource"]: row["used"] for row in exported["tables"]["plan_usage"]} == {"ai_requests": 3, "seats": 2}


async def test_an_erasure_deletes_the_usage(runtime: Runtime, counted: UUID) -> None:
    await erase_user(runtime, counted)
    assert await rows(runtime) == 0


@pytest.mark.parametrize(("age", "left"), [(KEPT - timedelta(days=40), 2), (KEPT + timedelta(days=40), 1)])
async def test_old_periods_are_deleted_but_no_levels(
    runtime: Runtime, limited: Limited, user_id: UUID, age: timedelta, left: int
) -> None:
    limited.clock.now = utc_now() - age
    async with runtime.database.transaction() as session:
        await limited.plans.reserve(session, user_id, "ai_requests", 3)
        await limited.plans.reserve(session, user_id, "seats", 2)
    await cleanup_old_data(runtime)
    assert await rows(runtime) == left


async def test_the_report_adds_up_the_usage(runtime: Runtime, counted: UUID) -> None:
    assert counted
    metrics = (await make_report(runtime, utc_now().date())).metrics
    assert (metrics["usage_users"], metrics["usage_ai_requests"], metrics["usage_api_calls"]) == (1, 3, 0)
