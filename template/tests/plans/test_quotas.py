"""Quotas: counters per period, and levels."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.errors import QuotaExceededError
from app.core.ports.plans import Plans
from app.plans.models import PlanUsage
from app.users.models import User
from tests.plans.conftest import Limited
from tests.statements import statements_of

JANUARY = datetime(2027, 1, 31, 12, tzinfo=UTC)


def month(day: int) -> datetime:
    """A day in February of 2027."""
    return datetime(2027, 2, day, tzinfo=UTC)


async def used(session: AsyncSession, plans: Plans, user_id: UUID, resource: str) -> int:
    """Return the usage of a user."""
    return next(item.used for item in await plans.usage(session, user_id) if item.resource == resource)


class TestCounter:
    async def test_lets_the_limit_of_the_plan_through(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        limited.clock.now = JANUARY
        reservation = await limited.plans.reserve(session, user_id, "ai_requests", 9)
        with pytest.raises(QuotaExceededError) as refused:
            await limited.plans.reserve(session, user_id, "ai_requests", 2)

        assert (reservation.resource, reservation.amount) == ("ai_requests", 9)
        assert refused.value.details == {
            "resource": "ai_requests",
            "plan": "free",
            "limit": 10,
            "used": 9,
            "resets_at": datetime(2027, 2, 1, tzinfo=UTC),
        }
        assert await limited.plans.remaining(session, user_id, "ai_requests") == 1
        assert await used(session, limited.plans, user_id, "ai_requests") == 9
        assert await used(session, limited.plans, user_id, "exports") == 0

    async def test_refuses_more_than_the_limit_at_once(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        with pytest.raises(QuotaExceededError):
            await limited.plans.reserve(session, user_id, "ai_requests", 11)
        assert await limited.plans.remaining(session, user_id, "ai_requests") == 10

    async def test_reserves_settles_and_gives_back_in_one_statement_each(
        self, session: AsyncSession, limited: Limited, user_id: UUID, database: Database
    ) -> None:
        limited.measures["team_members"] = lambda _user_id: select(func.count()).select_from(PlanUsage)
        await session.execute(select(1))
        for resource in ("ai_requests", "seats", "team_members"):
            with statements_of(database) as seen:
                reservation = await limited.plans.reserve(session, user_id, resource, 5)
            assert len(seen) == 1, seen
            with statements_of(database) as seen:
                await limited.plans.settle(session, reservation, 7)
            assert len(seen) == 1, seen
            with statements_of(database) as seen:
                await limited.plans.give_back(session, await limited.plans.reserve(session, user_id, resource))
            assert len(seen) == 2, seen

    async def test_settles_with_the_real_use(self, session: AsyncSession, limited: Limited, user_id: UUID) -> None:
        less = await limited.plans.reserve(session, user_id, "ai_requests", 5)
        more = await limited.plans.reserve(session, user_id, "ai_requests", 5)
        await limited.plans.settle(session, less, 2)
        assert await used(session, limited.plans, user_id, "ai_requests") == 7
        # It has been used, so it counts beyond the limit.
        await limited.plans.settle(session, more, 15)
        assert await used(session, limited.plans, user_id, "ai_requests") == 17
        assert await limited.plans.remaining(session, user_id, "ai_requests") == 0

    async def test_starts_at_zero_in_the_next_month(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        limited.clock.now = JANUARY
        reservation = await limited.plans.reserve(session, user_id, "ai_requests", 10)
        limited.clock.now = JANUARY + timedelta(hours=12)

        assert await limited.plans.remaining(session, user_id, "ai_requests") == 10
        # What was reserved in January is given back to January.
        await limited.plans.reserve(session, user_id, "ai_requests", 4)
        await limited.plans.give_back(session, reservation)
        assert await used(session, limited.plans, user_id, "ai_requests") == 4
        limited.clock.now = JANUARY
        assert await used(session, limited.plans, user_id, "ai_requests") == 0

    async def test_a_plan_bought_within_the_month_starts_at_zero(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        limited.clock.now = month(10)
        await limited.plans.reserve(session, user_id, "ai_requests", 10)
        limited.subscriptions.subscribe(user_id, "pro", month(10), datetime(2027, 3, 10, tzinfo=UTC))
        assert await limited.plans.remaining(session, user_id, "ai_requests") == 20

        await limited.plans.reserve(session, user_id, "ai_requests", 15)
        # A change of the plan within the billing period keeps what was used.
        limited.subscriptions.subscribe(user_id, "max", month(10), datetime(2027, 3, 10, tzinfo=UTC))
        assert await limited.plans.remaining(session, user_id, "ai_requests") is None
        assert await used(session, limited.plans, user_id, "ai_requests") == 15
        # Without a subscription, the calendar month goes on where it was left.
        limited.subscriptions.by_user.clear()
        assert await limited.plans.remaining(session, user_id, "ai_requests") == 0

    async def test_the_months_of_a_yearly_subscription(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        limited.subscriptions.subscribe(user_id, "pro", JANUARY, datetime(2028, 1, 31, 12, tzinfo=UTC))
        limited.clock.now = month(28)
        await limited.plans.reserve(session, user_id, "ai_requests", 20)
        limited.clock.now = month(28).replace(hour=12)

        reservation = await limited.plans.reserve(session, user_id, "ai_requests", 20)
        assert reservation.resets_at == datetime(2027, 3, 31, 12, tzinfo=UTC)

    async def test_a_subscription_to_a_plan_that_was_removed_counts_as_the_default(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        limited.subscriptions.subscribe(user_id, "gone", month(1), month(28))
        with capture_logs() as logs:
            assert await limited.plans.plan_of(session, user_id) == "free"
        assert logs[0]["event"] == "plan_unknown"

    async def test_is_rolled_back_with_the_transaction(
        self, database: Database, limited: Limited, user_id: UUID
    ) -> None:
        async def work() -> None:
            async with database.transaction() as session:
                await limited.plans.reserve(session, user_id, "ai_requests", 10)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        async with database.reading() as reading:
            assert await limited.plans.remaining(reading, user_id, "ai_requests") == 10

    async def test_rejects_mistakes(self, session: AsyncSession, limited: Limited, user_id: UUID) -> None:
        reservation = await limited.plans.reserve(session, user_id, "ai_requests")
        with pytest.raises(ValueError, match="negative"):
            await limited.plans.reserve(session, user_id, "ai_requests", -1)
        with pytest.raises(ValueError, match="negative"):
            await limited.plans.settle(session, reservation, -1)
        with pytest.raises(LookupError, match="Declare"):
            await limited.plans.reserve(session, user_id, "airequests")

    async def test_never_falls_below_zero(self, session: AsyncSession, limited: Limited, user_id: UUID) -> None:
        reservation = await limited.plans.reserve(session, user_id, "ai_requests", 2)
        await limited.plans.give_back(session, reservation)
        await limited.plans.give_back(session, reservation)
        assert await used(session, limited.plans, user_id, "ai_requests") == 0


class TestLevel:
    async def test_of_a_module_s_own_is_kept_with_reserve_and_give_back(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        seat = await limited.plans.reserve(session, user_id, "seats")
        await limited.plans.reserve(session, user_id, "seats", 9)
        with pytest.raises(QuotaExceededError) as refused:
            await limited.plans.reserve(session, user_id, "seats")
        await limited.plans.give_back(session, seat)

        assert refused.value.details["resets_at"] is None
        assert await limited.plans.remaining(session, user_id, "seats") == 1
        # It does not start again with the month.
        limited.clock.now += timedelta(days=40)
        assert await limited.plans.remaining(session, user_id, "seats") == 1


@pytest.fixture
def measured(limited: Limited) -> Limited:
    """The level `seats` is measured: each administrator and each user of the same name takes a seat."""
    seats = select(func.count()).select_from(User).where(col(User.full_name) == "seat")
    limited.measures["seats"] = lambda _user_id: seats
    return limited


async def add_seats(session: AsyncSession, number: int) -> list[User]:
    """Add rows that are measured."""
    added = [User(full_name="seat") for _ in range(number)]
    session.add_all(added)
    await session.flush()
    return added


class TestMeasuredLevel:
    async def test_counts_rows_that_existed_before(
        self, session: AsyncSession, measured: Limited, user_id: UUID
    ) -> None:
        await add_seats(session, 9)
        assert await measured.plans.remaining(session, user_id, "seats") == 1

        await measured.plans.reserve(session, user_id, "seats")
        await add_seats(session, 1)
        with pytest.raises(QuotaExceededError) as refused:
            await measured.plans.reserve(session, user_id, "seats")
        assert refused.value.details["used"] == 10

    async def test_counts_more_than_the_limit_that_existed_before(
        self, session: AsyncSession, measured: Limited, user_id: UUID
    ) -> None:
        await add_seats(session, 12)
        for _ in range(2):
            with pytest.raises(QuotaExceededError) as refused:
                await measured.plans.reserve(session, user_id, "seats")
            assert refused.value.details["used"] == 12

    async def test_deleted_rows_stop_counting(self, session: AsyncSession, measured: Limited, user_id: UUID) -> None:
        await measured.plans.reserve(session, user_id, "seats", 10)
        added = await add_seats(session, 10)
        await session.delete(added[0])
        await session.flush()

        assert await measured.plans.remaining(session, user_id, "seats") == 1
        await measured.plans.reserve(session, user_id, "seats")
        await add_seats(session, 1)
        with pytest.raises(QuotaExceededError):
            await measured.plans.reserve(session, user_id, "seats")

    async def test_rows_added_without_a_reservation_count(
        self, session: AsyncSession, measured: Limited, user_id: UUID
    ) -> None:
        await measured.plans.reserve(session, user_id, "seats")
        await add_seats(session, 10)
        with pytest.raises(QuotaExceededError):
            await measured.plans.reserve(session, user_id, "seats")

    async def test_is_counted_though_it_is_unlimited(
        self, session: AsyncSession, measured: Limited, user_id: UUID
    ) -> None:
        measured.subscriptions.subscribe(user_id, "max", month(1), month(28))
        await measured.plans.reserve(session, user_id, "seats", 50)
        stored = select(col(PlanUsage.used)).where(col(PlanUsage.resource) == "seats")
        assert await session.scalar(stored) == 50

    async def test_without_a_declaration_is_unlimited_and_not_counted(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        limited.measures["invoices"] = lambda _user_id: select(func.count())
        plans = limited.plans
        await plans.give_back(session, await plans.reserve(session, user_id, "invoices", 1000))
        assert await plans.remaining(session, user_id, "invoices") is None
        assert "invoices" not in {item.resource for item in await plans.usage(session, user_id)}

    async def test_an_amount_is_smaller_than_the_unit_of_the_limit(
        self, session: AsyncSession, limited: Limited, user_id: UUID
    ) -> None:
        await limited.plans.reserve(session, user_id, "storage_mb", 9_000_001)
        with pytest.raises(QuotaExceededError) as refused:
            await limited.plans.reserve(session, user_id, "storage_mb", 1_000_000)
        assert (refused.value.details["limit"], refused.value.details["used"]) == (10, 10)
        await limited.plans.reserve(session, user_id, "storage_mb", 999_999)
