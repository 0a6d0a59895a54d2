"""The sampling of transactions."""

import random
import time
from collections.abc import Callable


class Sampler:
    """The sampler of transactions: a share of them, up to a limit per second, since each one is a request to Sentry.

    Args:
        rate: the share, from 0 to 1.
        per_second: the limit of this process. That many may be reported at once.
        clock: monotonic seconds.
        draw: a random number from 0 up to 1.
    """

    def __init__(
        self,
        rate: float,
        per_second: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._rate = rate
        self._per_second = per_second
        self._clock = clock
        self._draw = draw
        self._left = float(per_second)
        self._filled_at = clock()

    def samples_transaction(self) -> bool:
        """Return whether to report the transaction that begins."""
        if self._draw() >= self._rate:
            return False
        now = self._clock()
        self._left = min(self._per_second, self._left + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
