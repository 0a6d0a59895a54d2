"""Rate limits that all processes share."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from app.core.rate_limiting.memory import MemoryLimiter
from app.core.rate_limiting.port import Limiter, Verdict
from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError
from app.redis.connection import connect
from app.redis.limiter import PREFIX, RedisLimiter

START = 1_000_000_030.0
"""Ten seconds into a minute."""

ANSWER_TIMEOUT = 30.0
"""Seconds: a busy machine is no outage."""


class Nowhere:
    """A limiter that must not be asked."""

    async def hit(self, rate: str, key: str) -> Verdict:
        """See `Limiter.hit`."""
        raise AssertionError(f"Redis did not count {key} by {rate}")


@pytest.fixture
def me() -> str:
    """Somebody who has never been counted."""
    return f"me {secrets.token_hex()}"


@pytest.fixture
def clock() -> list[float]:
    """The time, to be set: a list of one."""
    return [START]


@pytest.fixture
def limiter(redis: Redis, clock: list[float]) -> RedisLimiter:
    return RedisLimiter(CircuitBreaker(redis), Nowhere(), clock=lambda: clock[0])


class TestHit:
    async def test_admits_as_many_as_the_rate(self, limiter: RedisLimiter, me: str) -> None:
        verdicts = [await limiter.hit("3/minute", me) for _ in range(4)]

        assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
        assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
        assert all(verdict.limit == 3 for verdict in verdicts)
        assert verdicts[3].reset == 50

    async def test_decides_like_the_limiter_in_memory(self, limiter: RedisLimiter, me: str, clock: list[float]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.time", lambda: clock[0])
            memory = MemoryLimiter(clock=lambda: clock[0])
            for step in (0, 0, 0.5, 7, 20, 0, 0, 31.25, 1, 1, 1, 0, 59, 2, 0, 0, 0, 121, 0, 60, 0, 0, 0, 0.75, 45):
                clock[0] += step
                assert await limiter.hit("5/minute", me) == await memory.hit("5/minute", me)

    async def test_a_refused_request_is_not_counted(self, limiter: RedisLimiter, me: str, clock: list[float]) -> None:
        for _ in range(50):
            await limiter.hit("3/minute", me)
        clock[0] += 120

        assert (await limiter.hit("3/minute", me)).remaining == 2

    async def test_a_clock_that_is_set_back_admits_no_more(
        self, limiter: RedisLimiter, me: str, clock: list[float]
    ) -> None:
        for _ in range(3):
            await limiter.hit("3/minute", me)
        clock[0] -= 60

        assert not (await limiter.hit("3/minute", me)).allowed

    async def test_counts_each_key_and_rate_separately(self, limiter: RedisLimiter, me: str) -> None:
        await limiter.hit("1/hour", me)

        assert (await limiter.hit("1/hour", f"{me} too")).allowed
        assert (await limiter.hit("1/day", me)).allowed

    async def test_every_key_expires(self, redis: Redis, me: str) -> None:
        await RedisLimiter(CircuitBreaker(redis), Nowhere()).hit("3/minute", me)

        left = await redis.pttl(f"{PREFIX}{me} 3/minute")
        assert 60_000 <= left <= 120_000


class TestWorkers:
    @pytest.fixture
    async def workers(self, redis_url: str) -> AsyncIterator[list[Limiter]]:
        """Four processes' limiters, each with connections of its own and Redis's clock."""
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connect(redis_url, timeout=ANSWER_TIMEOUT)) for _ in range(4)]
            yield [RedisLimiter(CircuitBreaker(client, timeout=ANSWER_TIMEOUT), Nowhere()) for client in clients]

    async def test_together_admit_as_many_as_the_rate(self, workers: list[Limiter], me: str) -> None:
        verdicts = await asyncio.gather(*(worker.hit("40/day", me) for _ in range(25) for worker in workers))

        assert sum(verdict.allowed for verdict in verdicts) == 40
        assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(40))


class TestOutage:
    async def test_leaves_the_counting_to_another(self, redis: Redis, me: str) -> None:
        breaker = CircuitBreaker(redis)

        async def refuse() -> None:
            raise ConnectionRefusedError

        with pytest.raises(RedisUnavailableError):
            await breaker.call(refuse)
        limiter = RedisLimiter(breaker, MemoryLimiter())
        verdicts = [await limiter.hit("2/hour", me) for _ in range(3)]
        await breaker.close()

        assert [verdict.allowed for verdict in verdicts] == [True, True, False]
        assert await redis.exists(f"{PREFIX}{me} 2/hour") == 0
