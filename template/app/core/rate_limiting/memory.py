"""Rate limits in this process's memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from app.core.rate_limiting.port import Verdict, Window, parse_rate

MAX_KEYS: Final = 100_000


class _Counter(NamedTuple):
    """The counts of a key.

    Attributes:
        number: the current window's number since the clock's zero.
        current: the current window's count.
        previous: the previous window's count.
        expires: when neither window counts any longer, by the clock.
    """

    number: int
    current: int
    previous: int
    expires: float


class MemoryLimiter:
    """A rate limiter in this process's memory, for at most `max_keys` keys.

    When there are more, the least recently used key is dropped that still has requests left. A key without requests
    left is dropped only when there is no other: many new keys must not reset the count of a blocked one.

    Args:
        max_keys: the maximum number of keys.
        clock: seconds. Monotonic, so that a change of the system's time neither frees nor blocks anyone.
    """

    def __init__(self, max_keys: int = MAX_KEYS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._open: OrderedDict[str, _Counter] = OrderedDict()
        self._exhausted: OrderedDict[str, _Counter] = OrderedDict()

    async def hit(self, rate: str, key: str) -> Verdict:
        """See `Limiter.hit`. Awaits nothing, so that concurrent requests are counted one by one."""
        limit, seconds = parse_rate(rate)
        key, now = f"{key} {rate}", self._clock()
        number, elapsed = divmod(now, seconds)
        window = self._window(key, int(number), seconds - elapsed)
        allowed = window.used(seconds) + 1 <= limit
        if allowed:
            window = window._replace(current=window.current + 1)
        verdict = window.verdict(limit, seconds, allowed=allowed)
        counter = _Counter(int(number), window.current, window.previous, (number + 2) * seconds)
        self._store(key, counter, exhausted=verdict.remaining == 0)
        self._evict(now)
        return verdict

    def _window(self, key: str, number: int, left: float) -> Window:
        counter = self._open.get(key) or self._exhausted.get(key)
        if counter is None or counter.number < number - 1:
            return Window(0, 0, left)
        if counter.number == number - 1:
            return Window(counter.current, 0, left)
        return Window(counter.previous, counter.current, left)

    def _store(self, key: str, counter: _Counter, *, exhausted: bool) -> None:
        keep, drop = (self._exhausted, self._open) if exhausted else (self._open, self._exhausted)
        drop.pop(key, None)
        keep[key] = counter
        keep.move_to_end(key)

    def _evict(self, now: float) -> None:
        while len(self._open) + len(self._exhausted) > self._max_keys:
            oldest = next(iter(self._exhausted.values()), None)
            expired = oldest is not None and oldest.expires <= now
            (self._exhausted if expired or not self._open else self._open).popitem(last=False)
