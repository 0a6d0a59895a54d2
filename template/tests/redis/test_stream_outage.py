"""Followers of streams while the server goes away and comes back."""

import secrets

import pytest

from app.core.ports.streams import StreamsUnavailableError
from tests.core.ports.stream_contract import KEPT, Follower, new
from tests.redis.server import RedisServer
from tests.redis.test_streams import process


async def test_followers_learn_that_they_may_have_missed_something(own_redis: RedisServer) -> None:
    stream = f"test {secrets.token_hex(8)}"
    follower = Follower()
    async with process(own_redis.url) as streams:
        await streams.follow(stream, follower)
        own_redis.stop()
        with pytest.raises(StreamsUnavailableError):
            await streams.append(new(stream, "lost"), KEPT)
        own_redis.start()
        await follower.heard(interruptions=1)

        async with process(own_redis.url) as others:
            await others.append(new(stream, "heard"), KEPT)
        await follower.heard(messages=1)

    assert [message.data for _, message in follower.messages] == ["heard"]
