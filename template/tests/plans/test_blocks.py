"""Quota that is counted in blocks."""

from uuid import UUID

import pytest

from app.core.db.database import Database
from app.core.errors import QuotaExceededError
from app.core.runtime import Runtime
from app.plans.blocks import LIFETIME, MAX_SIZE, Blocks
from tests.plans.conftest import Limited
from tests.statements import statements_of


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Seconds:
    """The clock of the blocks."""
    return Seconds()


@pytest.fixture
def blocks(runtime: Runtime, limited: Limited, user_id: UUID, clock: Seconds) -> Blocks:
    """The blocks of a process. The user may make 1,000 calls."""
    limited.subscriptions.subscribe(user_id, "pro", limited.clock.now, limited.clock.now.replace(year=2100))
    return Blocks(runtime, clock)


async def remaining(database: Database, limited: Limited, user_id: UUID) -> int | None:
    """The quota that is left for all processes."""
    async with database.reading() as session:
        return await limited.plans.remaining(session, user_id, "api_calls")


class TestSpend:
    async def test_writes_once_for_a_block(
        self, blocks: Blocks, limited: Limited, user_id: UUID, database: Database
    ) -> None:
        await blocks.spend(user_id, "api_calls")
        assert await remaining(database, limited, user_id) == 950
        with statements_of(database) as seen:
            for _ in range(49):
                await blocks.spend(user_id, "api_calls")
        assert seen == []
        await blocks.spend(user_id, "api_calls")
        assert await remaining(database, limited, user_id) == 950 - 47

    async def test_lets_exactly_the_limit_of_the_plan_through(
        self, blocks: Blocks, limited: Limited, user_id: UUID, database: Database
    ) -> None:
        for _ in range(1000):
            await blocks.spend(user_id, "api_calls")
        with pytest.raises(QuotaExceededError):
            await blocks.spend(user_id, "api_calls")
        assert await remaining(database, limited, user_id) == 0

    async def test_gives_back_the_rest_of_expired_blocks(
        self, blocks: Blocks, limited: Limited, user_id: UUID, database: Database, clock: Seconds
    ) -> None:
        for _ in range(10):
            await blocks.spend(user_id, "api_calls")
        clock.now += LIFETIME
        await blocks.spend(user_id, "api_calls")
        # Ten calls of the first block, and the second block.
        assert await remaining(database, limited, user_id) == 990 - 49

        await blocks.give_back()
        assert await remaining(database, limited, user_id) == 989

    async def test_a_refusal_keeps_the_blocks_of_others(
        self, blocks: Blocks, limited: Limited, user_id: UUID, database: Database, clock: Seconds
    ) -> None:
        await blocks.spend(user_id, "api_calls")
        clock.now += LIFETIME
        async with database.transaction() as session:
            await limited.plans.reserve(session, user_id, "ai_requests", 20)
        with pytest.raises(QuotaExceededError):
            await blocks.spend(user_id, "ai_requests")
        assert await remaining(database, limited, user_id) == 950
        await blocks.give_back()
        assert await remaining(database, limited, user_id) == 999

    async def test_without_a_limit_blocks_are_large(
        self, blocks: Blocks, limited: Limited, user_id: UUID, database: Database
    ) -> None:
        limited.subscriptions.subscribe(user_id, "max", limited.clock.now, limited.clock.now.replace(year=2100))
        await blocks.spend(user_id, "api_calls")
        async with database.reading() as session:
            usage = await limited.plans.usage(session, user_id)
        assert next(item.used for item in usage if item.resource == "api_calls") == MAX_SIZE
