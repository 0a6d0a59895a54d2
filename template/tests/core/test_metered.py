"""Quota around slow work."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect
from uuid_utils.compat import uuid7

from app.core.errors import QuotaExceededError
from app.core.runtime import Runtime
from tests.core.metered import Metered

USER = uuid7()


@pytest.fixture
def plan(runtime: Runtime) -> Metered:
    """The plan of every user."""
    runtime.plans = plan = Metered("things", left=3)
    return plan


class TestMetered:
    async def test_counts_successes(self, runtime: Runtime, plan: Metered) -> None:
        async with runtime.metered(USER, "things", 3) as reservation:
            assert (plan.left, reservation.amount) == (0, 3)
        assert plan.reserved == [(USER, 3)]
        assert plan.left == 0

    async def test_refuses_before_the_work(self, runtime: Runtime, plan: Metered) -> None:
        with pytest.raises(QuotaExceededError):
            await runtime.metered(USER, "things", 4).__aenter__()
        assert plan.left == 3

    async def test_releases_failures(self, runtime: Runtime, plan: Metered) -> None:
        with pytest.raises(ZeroDivisionError):
            async with runtime.metered(USER, "things", 3):
                raise ZeroDivisionError
        assert plan.left == 3

    @pytest.mark.parametrize("end", [ClientDisconnect, WebSocketDisconnect, asyncio.CancelledError])
    async def test_counts_work_that_is_cut_off(self, runtime: Runtime, plan: Metered, end: type[BaseException]) -> None:
        with pytest.raises(end):
            async with runtime.metered(USER, "things"):
                raise end
        assert plan.left == 2
