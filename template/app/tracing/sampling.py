"""The sampling decision: which traces are recorded.

A caller of a public API chooses its `traceparent` freely, so neither its flag nor its trace id may decide alone: both
would let a stranger have every request recorded. Requests that ask to be recorded are, up to a budget per second; the
ratio decides about the others, by random numbers of our own and not by the trace id.
"""

import random
import time
from collections.abc import Callable

from app.core.context import TraceIds


class Sampler:
    """The sampler of one process.

    Args:
        ratio: the proportion of traces without a parent that are recorded, from 0 to 1.
        parents_per_second: the maximum number of traces per second that are recorded because the caller asks for it.
        clock: monotonic seconds.
        draw: a random number from 0 up to 1.
    """

    def __init__(
        self,
        ratio: float,
        parents_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._ratio = ratio
        self._rate = parents_per_second
        self._burst = max(parents_per_second, 1.0) if parents_per_second else 0.0
        self._clock = clock
        self._draw = draw
        self._budget = self._burst
        self._filled_at = clock()

    def samples_request(self, parent: TraceIds | None) -> bool:
        """Return whether to record a request.

        Args:
            parent: the trace context that the caller sent, which is not trusted.
        """
        if parent is None:
            return self._draw() < self._ratio
        return parent.sampled and (self._takes_from_budget() or self._draw() < self._ratio)

    def samples_work(self, origin: TraceIds | None) -> bool:
        """Return whether to record a job or an inbox attempt.

        Args:
            origin: the trace of our own that it links to. It decides, so that both ends of the link exist.
        """
        return origin.sampled if origin is not None else self._draw() < self._ratio

    def _takes_from_budget(self) -> bool:
        now = self._clock()
        self._budget = min(self._burst, self._budget + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True
