"""The port for counting requests, and its implementation on the storages of the `limits` package."""

import math
from functools import lru_cache
from typing import Annotated, NamedTuple, Protocol

from pydantic import AfterValidator


@lru_cache(maxsize=256)
def parse_rate(rate: str) -> tuple[int, int]:
    """How many requests in how many seconds a rate such as `60/minute` or `100/15 minutes` allows.

    Raises:
        ValueError: saying what a rate looks like.
    """
    # Imported when the first rate is read: importing the application for a command should not wait for it.
    from limits import parse  # noqa: PLC0415

    hint = "must be a number of requests per time, like 60/minute, 5/hour or 100/15 minutes"
    try:
        item = parse(rate)
    except ValueError:
        raise ValueError(hint) from None
    if ";" in rate or "," in rate or "|" in rate or item.amount < 1:
        raise ValueError(hint)
    return item.amount, item.get_expiry()


def _checked(rate: str) -> str:
    parse_rate(rate)
    return rate


Rate = Annotated[str, AfterValidator(_checked)]
"""The type of a setting that holds a rate; checked when the application starts."""


class Verdict(NamedTuple):
    """Whether a request may pass, and how many more may.

    Attributes:
        reset: seconds until there is room for one more request than now, rounded up.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int


class Limiter(Protocol):
    """Counts requests."""

    async def hit(self, rate: str, key: str) -> Verdict:
        """Counts one request under the key, unless that would exceed the rate."""
        ...


class Window(NamedTuple):
    """What a sliding window counter knows of a key.

    Attributes:
        previous: the count of the window before.
        current: of this one.
        left: seconds until this one ends.
    """

    previous: int
    current: int
    left: float

    def verdict(self, limit: int, seconds: int, *, allowed: bool) -> Verdict:
        """What a request is told after it has been counted or refused, with windows of a length of `seconds`."""
        remaining = limit - math.floor(self.previous * self.left / seconds + self.current) if allowed else 0
        # This window begins to fade when it ends; the one before loses one request at a time.
        waits = [self.left] if self.current else []
        if self.previous:
            waits.append(self.left % (seconds / self.previous))
        return Verdict(allowed, limit, max(0, remaining), max(1, math.ceil(min(waits, default=0))))


class WindowStorage(Protocol):
    """What the storages of the `limits` package have that can count sliding windows."""

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts `amount` if there is room for it in the limit."""
        ...

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """The count of the window before with its remaining seconds, and of this one with its."""
        ...


class SlidingWindowLimiter:
    """Counts in a storage of the `limits` package, by a sliding window counter.

    The window before counts for the part of it that still lies within one window's length from now.
    """

    def __init__(self, storage: WindowStorage) -> None:
        self._storage = storage

    async def hit(self, rate: str, key: str) -> Verdict:
        """See `Limiter.hit`."""
        limit, seconds = parse_rate(rate)
        key = f"{key} {rate}"
        allowed = await self._storage.acquire_sliding_window_entry(key, limit, seconds)
        before, before_left, count, count_left = await self._storage.get_sliding_window(key, seconds)
        # Of this window it tells until when it counts at all, which is as long again after it has ended.
        left = before_left if before else count_left - seconds
        return Window(before, count, left).verdict(limit, seconds, allowed=allowed)


def memory_limiter() -> Limiter:
    """Counts in this process's memory."""
    from app.core.ports.rate_limiter_memory import BoundedMemoryStorage  # noqa: PLC0415 - see `parse_rate`

    return SlidingWindowLimiter(BoundedMemoryStorage())
