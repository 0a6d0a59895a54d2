"""Leases in this process."""

from datetime import timedelta

import pytest

from app.core.ports.leases import Leases, MemoryLeases

HOUR = timedelta(hours=1)


@pytest.fixture
def leases() -> Leases:
    return MemoryLeases()


async def test_no_more_than_the_limit_are_held(leases: Leases) -> None:
    held = [await leases.acquire("me", limit=2, lifetime=HOUR) for _ in range(3)]

    assert None not in held[:2]
    assert held[2] is None
    assert await leases.acquire("somebody else", limit=2, lifetime=HOUR) is not None


async def test_a_released_lease_can_be_acquired_again(leases: Leases) -> None:
    held = await leases.acquire("me", limit=1, lifetime=HOUR)
    assert held is not None
    await leases.release("me", held)
    await leases.release("me", held)

    assert await leases.acquire("me", limit=1, lifetime=HOUR) is not None
    assert await leases.acquire("me", limit=1, lifetime=HOUR) is None


async def test_a_lease_expires(leases: Leases) -> None:
    await leases.acquire("me", limit=1, lifetime=timedelta(0))

    assert await leases.acquire("me", limit=1, lifetime=HOUR) is not None
