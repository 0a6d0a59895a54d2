"""Calls of the admin routes for usage."""

from typing import Final
from uuid import UUID

from app.core.db.models import utc_now
from app.usage_billing.models import UsageRecord, UsageState
from tests.users.admin_calls import a_user
from tests.users.admin_walk import Call, Calls, Scene


async def send(scene: Scene) -> Call:
    """Send a rejected record again."""
    record = UsageRecord(
        user_id=UUID(await a_user(scene)),
        meter="ai_tokens",
        quantity=1,
        occurred_at=utc_now(),
        due_at=utc_now(),
        state=UsageState.REJECTED,
    )
    async with scene.runtime.database.transaction() as session:
        session.add(record)
    return Call(f"/usage/records/{record.id}/send")


CALLS: Final[Calls] = {"POST /usage/records/{record_id}/send": send}
