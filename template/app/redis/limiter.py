"""Rate limits that all processes share."""

from collections.abc import Awaitable, Callable
from typing import Final

from app.core.ports.rate_limiter import Limiter, Verdict, Window, parse_rate
from app.redis.link import Link, LostError

PREFIX: Final = "limit:"

# One round trip, in which nothing else happens, by one clock, Redis's own. Kept is the number of the window that was
# last counted in, its count, and the count of the one before. Answers whether the request was counted, both counts,
# and how many milliseconds of the window have gone by.
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
    """Counts by a sliding window, like `SlidingWindowLimiter`. While Redis is away, counts where `meanwhile` does.

    Args:
        clock: instead of Redis's, in seconds.
    """

    def __init__(self, link: Link, meanwhile: Limiter, *, clock: Callable[[], float] | None = None) -> None:
        self._link = link
        self._meanwhile = meanwhile
        self._clock = clock
        self._count: Callable[[list[str], list[str | int]], Awaitable[list[int]]] = link.client.register_script(SCRIPT)

    async def hit(self, rate: str, key: str) -> Verdict:
        """See `Limiter.hit`."""
        limit, seconds = parse_rate(rate)
        now = "" if self._clock is None else int(self._clock() * 1000)
        arguments = [limit, seconds * 1000, now]
        try:
            allowed, before, count, elapsed = await self._link.call(
                lambda: self._count([f"{PREFIX}{key} {rate}"], arguments)
            )
        except LostError:
            return await self._meanwhile.hit(rate, key)
        window = Window(previous=before, current=count, left=seconds - elapsed / 1000)
        return window.verdict(limit, seconds, allowed=bool(allowed))
