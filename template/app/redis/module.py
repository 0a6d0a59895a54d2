"""Redis: a cache and rate limits that all processes share. Without REDIS_URL, in local, each has its own in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from app.core.manifest import HealthCheck, Module
from app.core.runtime import Runtime
from app.redis.cache import RedisCache
from app.redis.connection import connect
from app.redis.limiter import RedisLimiter
from app.redis.link import Link, opened
from app.redis.settings import RedisSettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    url = runtime.resource(RedisSettings).REDIS_URL
    if url is None:
        yield
        return
    async with connect(url) as client, opened(client) as link:
        runtime.provide(Redis, client)
        runtime.provide(Link, link)
        with runtime.override(cache=RedisCache(link), limiter=RedisLimiter(link, meanwhile=runtime.limiter)):
            yield


async def _check(runtime: Runtime) -> None:
    if runtime.resource(RedisSettings).REDIS_URL is not None:
        await runtime.resource(Link).check()


module = Module(
    name="redis",
    settings=(RedisSettings,),
    # Whoever is limited or cached meanwhile is so by each process alone.
    health_checks=(HealthCheck(name="redis", check=_check, degrades=True),),
    lifespan=_lifespan,
)
