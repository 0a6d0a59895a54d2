"""Many requests at the same time, with real transactions: exactly what the plan allows gets through."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from app.core.errors import QuotaExceededError
from app.core.runtime import Runtime
from app.plans.blocks import Blocks
from app.users.models import User
from tests.plans.conftest import limit

REQUESTS = 200
LIMIT = 10


async def admitted(*attempts: "asyncio.Future[None]") -> int:
    """Return the number of attempts that succeed. The others are refused because of the quota."""
    results = await asyncio.gather(*attempts, return_exceptions=True)
    refused = [result for result in results if isinstance(result, QuotaExceededError)]
    done = [result for result in results if result is None]
    assert len(refused) + len(done) == len(results), results
    assert all(error.details["used"] == LIMIT for error in refused)
    return len(done)


@pytest.mark.parametrize("resource", ["ai_requests", "seats"])
async def test_exactly_ten_of_two_hundred_requests_get_through(
    live_runtime: Runtime, live_user_id: UUID, resource: str
) -> None:
    plans = limit(live_runtime).plans

    async def request() -> None:
        async with live_runtime.database.transaction() as session:
            await plans.reserve(session, live_user_id, resource)

    assert await admitted(*(asyncio.ensure_future(request()) for _ in range(REQUESTS))) == LIMIT


async def test_exactly_ten_rows_are_added_though_each_request_reserves_before(
    live_runtime: Runtime, live_user_id: UUID
) -> None:
    limited = limit(live_runtime)
    seats = select(func.count()).select_from(User).where(col(User.full_name) == "seat")
    limited.measures["seats"] = lambda _user_id: seats
    async with live_runtime.database.transaction() as session:
        session.add_all([User(full_name="seat") for _ in range(4)])

    async def request() -> None:
        async with live_runtime.database.transaction() as session:
            await limited.plans.reserve(session, live_user_id, "seats")
            session.add(User(full_name="seat"))

    assert await admitted(*(asyncio.ensure_future(request()) for _ in range(REQUESTS))) == LIMIT - 4
    async with live_runtime.database.reading() as reading:
        assert await reading.scalar(seats) == LIMIT


async def test_failed_work_is_given_back_once(live_runtime: Runtime, live_user_id: UUID) -> None:
    plans = limit(live_runtime).plans

    async def request(number: int) -> None:
        async with live_runtime.database.transaction() as session:
            reservation = await plans.reserve(session, live_user_id, "ai_requests")
        if number % 2:
            async with live_runtime.database.transaction() as session:
                await plans.give_back(session, reservation)

    results = await asyncio.gather(*(request(number) for number in range(16)), return_exceptions=True)
    kept = sum(result is None for result in results[::2])
    async with live_runtime.database.reading() as reading:
        assert await plans.remaining(reading, live_user_id, "ai_requests") == LIMIT - kept


async def test_processes_that_count_in_blocks_never_exceed_the_limit(live_runtime: Runtime, live_user_id: UUID) -> None:
    limit(live_runtime)
    processes = [Blocks(live_runtime) for _ in range(4)]

    attempts = (processes[number % 4].spend(live_user_id, "api_calls") for number in range(REQUESTS))
    assert await admitted(*map(asyncio.ensure_future, attempts)) == LIMIT
