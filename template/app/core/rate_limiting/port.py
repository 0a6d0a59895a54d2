"""The port for rate limits: counts requests by key."""

import math
import re
from functools import lru_cache
from typing import Annotated, Final, NamedTuple, Protocol

from pydantic import AfterValidator

OFF: Final = "off"
"""A rate without a limit: requests are not counted."""

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE: Final = re.compile(r"\s*(\d{1,9})\s*(?:/|per\b)\s*(?:(\d{1,4})\s*)?(second|minute|hour|day)s?\s*", re.IGNORECASE)


@lru_cache(maxsize=256)
def parse_rate(rate: str) -> tuple[int, int]:
    """Return the number of requests and the seconds of a rate: `60/minute`, `5 per hour`, `100/15 minutes`.

    Raises:
        ValueError: the rate has another form. The message shows examples.
    """
    match = _RATE.fullmatch(rate)
    limit, count = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
    if match is None or limit < 1 or count < 1:
        raise ValueError("must be a number of requests per time, like 60/minute, 5/hour or 100/15 minutes, or off")
    return limit, count * _SECONDS[match[3].lower()]


def _checked(rate: str) -> str:
    if rate.strip().lower() == OFF:
        return OFF
    parse_rate(rate)
    return rate


Rate = Annotated[str, AfterValidator(_checked)]
"""The type of a setting that holds a rate or `off`. Validated when the application starts."""


class Verdict(NamedTuple):
    """The decision on a request, and the number of requests that remain.

    Attributes:
        reset: seconds until one more request is allowed than now, rounded up.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int


class Limiter(Protocol):
    """A rate limiter with a sliding window."""

    async def hit(self, rate: str, key: str) -> Verdict:
        """Count one request for the key, unless it exceeds the rate. A rejected request is not counted."""
        ...


class Window(NamedTuple):
    """A sliding-window counter: the previous window counts in proportion to its overlap with the last `seconds`.

    Attributes:
        previous: the count of the previous window.
        current: the count of the current window.
        left: seconds until the current window ends.
    """

    previous: int
    current: int
    left: float

    def used(self, seconds: int) -> int:
        """Return the number of requests that count at this moment."""
        return math.floor(self.previous * self.left / seconds + self.current)

    def verdict(self, limit: int, seconds: int, *, allowed: bool) -> Verdict:
        """Return the verdict on a request that was counted or rejected. `seconds` is the length of a window."""
        remaining = limit - self.used(seconds) if allowed else 0
        # The current window starts to fade when it ends; the previous one loses one request at a time.
        waits = [self.left] if self.current else []
        if self.previous:
            waits.append(self.left % (seconds / self.previous))
        return Verdict(allowed, limit, max(0, remaining), max(1, math.ceil(min(waits, default=0))))
