"""The order of cells, and those that do not fit into the remaining time."""

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from omnistack.suites.coverage import Combination


@dataclass(frozen=True)
class Candidate:
    """A cell that could run."""

    pairs: AbstractSet[Combination]
    seconds: float
    """Its expected duration."""

    size: int
    """Files of its rendering."""


class Schedule:
    """A schedule that hands out cells until the time is used up.

    Without a deadline, the longest cells come first, so that all processors finish at about the same time. With one,
    the cells with the most never executed pairs come first, then those with the most uncovered pairs.

    Args:
        candidates: the cells by digest.
        covered: the pairs of cells that need no execution.
        executed: the pairs that were executed at any time, whatever the rendering was then.
        deadline: when the last cell must be finished.
        clock: what the deadline is measured by.
    """

    def __init__(
        self,
        candidates: Mapping[str, Candidate],
        covered: AbstractSet[Combination],
        *,
        executed: AbstractSet[Combination] = frozenset(),
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.left = dict(candidates)
        self._candidates = candidates
        self._covered = set(covered)
        self._executed = executed
        self._deadline = deadline
        self._clock = clock
        self._expected = self._measured = 0.0

    def next(self) -> str | None:
        """Take a cell, or none: none is left, or none would end in time."""
        fitting = [key for key in self.left if self._fits(key)]
        if not fitting:
            return None
        key = max(fitting, key=self._rank)
        self._covered |= self.left.pop(key).pairs
        return key

    def ended(self, key: str, seconds: float) -> None:
        """Record how long a cell took. If it took longer than expected, the other estimates are raised too."""
        self._expected += self._candidates[key].seconds
        self._measured += seconds

    def _fits(self, key: str) -> bool:
        if self._deadline is None:
            return True
        slower = max(1.0, self._measured / self._expected) if self._expected else 1.0
        return self._clock() + self.left[key].seconds * slower <= self._deadline

    def _rank(self, key: str) -> tuple[int, int, int]:
        candidate = self.left[key]
        if self._deadline is None:
            return 0, 0, candidate.size
        uncovered = candidate.pairs - self._covered
        return len(uncovered - self._executed), len(uncovered), candidate.size
