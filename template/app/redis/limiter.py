"""Rate limits that all processes share."""

from collections.abc import Awaitable, Callable
from typing import Final

from app.core.rate_limiting.port import Limiter, Verdict, Window, parse_rate
from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError

PREFIX: Final = "limit:"

# One atomic round trip, by one clock: Redis's own. Stores the number of the last window, its count, and the count of
# the window before. Returns whether the request was counted, both counts, and the elapsed milliseconds of the window.
SCRIPT: Final = """
local limit, length, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local number, elapsed = math.floor(now / length), now % length
local kept = redis.call('HMGET', KEYS[1], 'number', 'count', 'before')
local last, count, before = tonumber(kept[1]) or number, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
if last < number then
    before = last == number - 1 and count or 0
    count = 0
end
local allowed = 0
if math.floor(before * (length - elapsed) / length + count) + 1 <= limit then
    allowed, count = 1, count + 1
    redis.call('HSET', KEYS[1], 'number', math.max(last, number), 'count', count, 'before', before)
    redis.call('PEXPIRE', KEYS[1], 2 * length - elapsed)
end
return {allowed, before, count, elapsed}
"""


class RedisLimiter:
    """A sliding-window counter in Redis, like `MemoryLimiter`.

    Args:
        fallback: counts while Redis is unavailable.
        clock: in seconds, instead of Redis's.
    """

    def __init__(self, breaker: CircuitBreaker, fallback: Limiter, *, clock: Callable[[], float] | None = None) -> None:
        self._breaker = breaker
        self._fallback = fallback
        self._clock = clock
        self._count: Callable[[list[str], list[str | int]], Awaitable[list[int]]] = breaker.client.register_script(
            SCRIPT
        )

    async def hit(self, rate: str, key: str) -> Verdict:
        """See `Limiter.hit`."""
        limit, seconds = parse_rate(rate)
        now = "" if self._clock is None else int(self._clock() * 1000)
        arguments = [limit, seconds * 1000, now]
        try:
            allowed, before, count, elapsed = await self._breaker.call(
                lambda: self._count([f"{PREFIX}{key} {rate}"], arguments)
            )
        except RedisUnavailableError:
            return await self._fallback.hit(rate, key)
        window = Window(previous=before, current=count, left=seconds - elapsed / 1000)
        return window.verdict(limit, seconds, allowed=bool(allowed))
