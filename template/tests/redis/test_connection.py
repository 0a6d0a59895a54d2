"""Clients of Redis."""

import secrets

from redis.asyncio import Redis


class TestClient:
    async def test_stores_values_unchanged(self, redis: Redis) -> None:
        key = secrets.token_hex()
        await redis.set(key, b"value", px=10_000)

        assert await redis.get(key) == b"value"
        assert await redis.delete(key) == 1
