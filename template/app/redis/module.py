"""Redis: what all processes share. Without REDIS_URL, as in local, each process keeps to its own memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from app.core.module import Module
from app.core.runtime import Runtime
from app.redis.connection import connect
from app.redis.settings import RedisSettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    url = runtime.resource(RedisSettings).REDIS_URL
    if url is None:
        yield
        return
    async with connect(url) as client:
        runtime.provide(Redis, client)
        yield


module = Module(name="redis", settings=(RedisSettings,), lifespan=_lifespan)
