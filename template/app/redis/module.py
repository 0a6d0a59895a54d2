"""Redis: a cache, rate limits, circuit breakers and streams that all processes share.

In local without REDIS_URL, each process has its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from app.core.manifest import HealthCheck, Module
from app.core.runtime import Runtime
from app.kit.resilience.circuit_store import MemoryCircuits, share_circuits
from app.redis.cache import RedisCache
from app.redis.circuit_breaker import CircuitBreaker, open_circuit_breaker
from app.redis.circuits import RedisCircuits
from app.redis.connection import connect
from app.redis.leases import RedisLeases
from app.redis.limiter import RedisLimiter
from app.redis.settings import RedisSettings
from app.redis.streams import RedisStreams
from app.redis.subscriber import open_subscriber


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    url = runtime.resource(RedisSettings).REDIS_URL
    if url is None:
        yield
        return
    async with (
        connect(url) as client,
        open_circuit_breaker(client) as breaker,
        connect(url) as subscribing,
        open_subscriber(subscribing) as subscriber,
    ):
        runtime.provide(Redis, client)
        runtime.provide(CircuitBreaker, breaker)
        with (
            runtime.override(
                cache=RedisCache(breaker),
                limiter=RedisLimiter(breaker, fallback=runtime.limiter),
                leases=RedisLeases(breaker, fallback=runtime.leases),
                streams=RedisStreams(breaker, subscriber),
            ),
            share_circuits(RedisCircuits(breaker, fallback=MemoryCircuits())),
        ):
            yield


async def _check(runtime: Runtime) -> None:
    if runtime.resource(RedisSettings).REDIS_URL is not None:
        await runtime.resource(CircuitBreaker).check()


module = Module(
    name="redis",
    settings=(RedisSettings,),
    # During an outage, each process limits and caches on its own.
    health_checks=(HealthCheck(name="redis", check=_check, degrades=True),),
    lifespan=_lifespan,
)
