"""Streams that all processes share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from app.core.ports.streams import Streams, StreamsUnavailableError
from app.redis.circuit_breaker import open_circuit_breaker
from app.redis.connection import connect
from app.redis.streams import RedisStreams
from app.redis.subscriber import open_subscriber
from tests.core.ports.stream_contract import HOUR, Follower, StreamContract


@asynccontextmanager
async def process(url: str) -> AsyncIterator[RedisStreams]:
    """The streams of a process."""
    async with AsyncExitStack() as stack:
        breaker = await stack.enter_async_context(open_circuit_breaker(await stack.enter_async_context(connect(url))))
        subscriber = await stack.enter_async_context(open_subscriber(await stack.enter_async_context(connect(url))))
        yield RedisStreams(breaker, subscriber)


class TestRedisStreams(StreamContract):
    @pytest.fixture
    async def streams(self, redis_url: str) -> AsyncIterator[Streams]:
        async with process(redis_url) as opened:
            yield opened

    @pytest.fixture
    async def others(self, redis_url: str) -> AsyncIterator[Streams]:
        async with process(redis_url) as opened:
            yield opened


async def test_nothing_is_followed_without_a_server() -> None:
    async with process("redis://127.0.0.1:1/0") as streams:
        with pytest.raises(StreamsUnavailableError):
            await streams.follow("stream", Follower())
        with pytest.raises(StreamsUnavailableError):
            await streams.end("stream", HOUR)
