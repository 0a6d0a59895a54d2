"""The cache that all processes share."""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from app.core.ports.cache import Cache, cached
from app.core.ports.telemetry import Telemetry
from app.redis.cache import PREFIX, RedisCache
from app.redis.circuit_breaker import CircuitBreaker
from app.redis.connection import connect

MINUTE = timedelta(minutes=1)


@pytest.fixture
def cache(redis: Redis) -> Cache:
    return RedisCache(CircuitBreaker(redis))


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return secrets.token_hex()


class TestCache:
    async def test_keeps_a_value_until_it_is_deleted(self, cache: Cache, key: str) -> None:
        await cache.set(key, b"\x00value\xff", MINUTE)
        assert await cache.get(key) == b"\x00value\xff"
        await cache.delete(key)
        await cache.delete(key)
        assert await cache.get(key) is None

    async def test_forgets_a_value_in_time(self, cache: Cache, redis: Redis, key: str) -> None:
        await cache.set(key, b"value", timedelta(seconds=1.5))
        assert 0 < await redis.pttl(PREFIX + key) <= 1500
        await cache.set(key, b"value", timedelta(0))
        assert await cache.get(key) is None

    async def test_is_that_of_every_process(self, cache: Cache, redis_url: str, key: str) -> None:
        await cache.set(key, b"value", MINUTE)
        async with connect(redis_url) as client:
            assert await RedisCache(CircuitBreaker(client)).get(key) == b"value"


@dataclass
class Process:
    """A service with a cache, and a record of the calls of the cached function."""

    cache: Cache
    telemetry: Telemetry = field(default_factory=Telemetry)
    made: list[str] = field(default_factory=list)


@cached("tests.square", ttl=MINUTE)
async def square(process: Process, name: str) -> dict[str, int]:
    """An expensive function."""
    process.made.append(name)
    await asyncio.sleep(0)
    return {name: 49}


class TestCached:
    async def test_finds_values_of_another_process(self, cache: Cache, redis_url: str, key: str) -> None:
        async with connect(redis_url) as client:
            processes = Process(cache), Process(RedisCache(CircuitBreaker(client)))
            for process in processes:
                values = await asyncio.gather(*(square(process, key) for _ in range(50)))
                assert values == [{key: 49}] * 50

        assert [process.made for process in processes] == [[key], []]
