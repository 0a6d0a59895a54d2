"""The null implementations of the ports of absent modules."""

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.ports.plans import FreePlan, Plans


class TestFreePlan:
    async def test_applies_to_all_users_and_has_no_limits(self, session: AsyncSession) -> None:
        plans: Plans = FreePlan()
        assert await plans.plan_of(session, uuid7()) == "free"
        assert await plans.remaining(session, uuid7(), "api_calls") is None
        reservation = await plans.reserve(session, uuid7(), "api_calls", 1000)
        await plans.settle(session, reservation, 10)
        await plans.give_back(session, reservation)
        assert list(await plans.usage(session, uuid7())) == []
