"""A cache that all processes share."""

from datetime import timedelta

from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError

PREFIX = "cache:"


class RedisCache:
    """See `Cache`. While Redis is unavailable, every lookup is a miss and writes are dropped."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    async def get(self, key: str) -> bytes | None:
        """See `Cache.get`."""
        try:
            value: bytes | None = await self._breaker.call(lambda: self._breaker.client.get(PREFIX + key))
        except RedisUnavailableError:
            return None
        return value

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """See `Cache.set`."""
        milliseconds = round(ttl.total_seconds() * 1000)
        if milliseconds < 1:
            await self.delete(key)
            return
        try:
            await self._breaker.call(lambda: self._breaker.client.set(PREFIX + key, value, px=milliseconds))
        except RedisUnavailableError:
            return

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        try:
            await self._breaker.call(lambda: self._breaker.client.delete(PREFIX + key))
        except RedisUnavailableError:
            return
