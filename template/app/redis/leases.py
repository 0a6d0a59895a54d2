"""Leases that all processes share."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from app.core.ports.leases import Leases, new_lease_id
from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError

PREFIX: Final = "lease:"

# A sorted set of lease ids by expiry, by Redis's own clock. Returns whether the lease was acquired.
ACQUIRE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


class RedisLeases:
    """See `Leases`. While Redis is unreachable, `fallback` counts in its place."""

    def __init__(self, breaker: CircuitBreaker, fallback: Leases) -> None:
        self._breaker = breaker
        self._fallback = fallback
        self._acquire: Callable[[list[str], list[str | int]], Awaitable[int]] = breaker.client.register_script(ACQUIRE)

    async def acquire(self, key: str, *, limit: int, lifetime: timedelta) -> str | None:
        """See `Leases.acquire`."""
        lease_id = new_lease_id()
        arguments: list[str | int] = [lease_id, limit, round(lifetime.total_seconds() * 1000)]
        try:
            acquired = await self._breaker.call(lambda: self._acquire([PREFIX + key], arguments))
        except RedisUnavailableError:
            return await self._fallback.acquire(key, limit=limit, lifetime=lifetime)
        return lease_id if acquired else None

    async def release(self, key: str, lease_id: str) -> None:
        """See `Leases.release`."""
        await self._fallback.release(key, lease_id)
        try:
            await self._breaker.call(lambda: self._breaker.client.zrem(PREFIX + key, lease_id))
        except RedisUnavailableError:
            return
