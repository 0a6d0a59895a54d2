"""Quota around slow work."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import ClientDisconnect
from uuid_utils.compat import uuid7

from app.core.metering import metered
from app.core.ports.plans import FreePlan, Reservation
from app.core.runtime import Runtime

USER = uuid7()


class Counting(FreePlan):
    """A plan that adds up what is used."""

    def __init__(self) -> None:
        self.used = 0

    async def reserve(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> Reservation:
        """See `Plans.reserve`."""
        self.used += amount
        return await super().reserve(session, user_id, resource, amount)

    async def give_back(self, session: AsyncSession, reservation: Reservation) -> None:
        """See `Plans.give_back`."""
        await super().give_back(session, reservation)
        self.used -= reservation.amount


@pytest.fixture
def plan(runtime: Runtime) -> Counting:
    """The plan of every user."""
    runtime.plans = counting = Counting()
    return counting


class TestMetered:
    async def test_counts_what_succeeds(self, runtime: Runtime, plan: Counting) -> None:
        async with metered(runtime, USER, "things", 3) as reservation:
            assert plan.used == reservation.amount == 3
        assert plan.used == 3

    async def test_gives_back_what_fails(self, runtime: Runtime, plan: Counting) -> None:
        with pytest.raises(ZeroDivisionError):
            async with metered(runtime, USER, "things", 3):
                raise ZeroDivisionError
        assert plan.used == 0

    @pytest.mark.parametrize("end", [ClientDisconnect, asyncio.CancelledError])
    async def test_counts_work_that_is_cut_off(
        self, runtime: Runtime, plan: Counting, end: type[BaseException]
    ) -> None:
        with pytest.raises(end):
            async with metered(runtime, USER, "things"):
                raise end
        assert plan.used == 1
