"""Leases that all processes share."""

import asyncio
import secrets
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from app.core.ports.leases import MemoryLeases
from app.redis.circuit_breaker import CircuitBreaker
from app.redis.connection import connect
from app.redis.leases import PREFIX, RedisLeases

HOUR = timedelta(hours=1)


@pytest.fixture
def key() -> str:
    """A key that is used for the first time."""
    return f"user {secrets.token_hex()}"


@pytest.fixture
def leases(redis: Redis) -> RedisLeases:
    return RedisLeases(CircuitBreaker(redis), MemoryLeases())


async def test_concurrent_calls_do_not_exceed_the_limit(leases: RedisLeases, key: str) -> None:
    held = await asyncio.gather(*(leases.acquire(key, limit=3, lifetime=HOUR) for _ in range(10)))

    assert len([each for each in held if each is not None]) == 3


async def test_another_process_counts_the_same_leases(leases: RedisLeases, key: str, redis: Redis) -> None:
    held = await leases.acquire(key, limit=1, lifetime=HOUR)
    assert held is not None
    other = RedisLeases(CircuitBreaker(redis), MemoryLeases())
    assert await other.acquire(key, limit=1, lifetime=HOUR) is None

    await leases.release(key, held)

    assert await other.acquire(key, limit=1, lifetime=HOUR) is not None


async def test_a_lease_expires(leases: RedisLeases, key: str, redis: Redis) -> None:
    await leases.acquire(key, limit=1, lifetime=HOUR)
    await redis.zadd(PREFIX + key, {(await redis.zrange(PREFIX + key, 0, 0))[0]: 1})

    assert await leases.acquire(key, limit=1, lifetime=HOUR) is not None
    assert 0 < await redis.pttl(PREFIX + key) <= HOUR.total_seconds() * 1000


async def test_this_process_counts_while_redis_is_unreachable(key: str) -> None:
    async with connect("redis://127.0.0.1:1/0") as client:
        link = CircuitBreaker(client)
        leases = RedisLeases(link, MemoryLeases())
        held = await leases.acquire(key, limit=1, lifetime=HOUR)
        assert held is not None
        assert await leases.acquire(key, limit=1, lifetime=HOUR) is None

        await leases.release(key, held)

        assert await leases.acquire(key, limit=1, lifetime=HOUR) is not None
        await link.close()
