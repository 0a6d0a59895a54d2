"""Rate limits' counters in this process's memory."""

import math
import time
from collections import OrderedDict

from limits.aio.storage import MemoryStorage


class BoundedMemoryStorage(MemoryStorage):
    """Sliding windows in memory, at most `max_keys` of them: the one least recently counted goes first.

    The package's own looks through all its keys on every hit and decides in several steps; this one does neither.
    """

    def __init__(self, max_keys: int = 100_000) -> None:
        super().__init__()
        self._max_keys = max_keys
        self._windows: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        """By key: the number of the current window, its count, and the count of the one before."""

    def _window(self, key: str, number: int) -> tuple[int, int]:
        """The counts of the window before and of this one."""
        last, count, before = self._windows.get(key, (number, 0, 0))
        if last == number:
            return before, count
        return (count, 0) if last == number - 1 else (0, 0)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts `amount` if there is room for it. Nothing is awaited, so that no other request comes in between."""
        number, elapsed = divmod(time.time(), expiry)
        before, count = self._window(key, int(number))
        if math.floor(before * (expiry - elapsed) / expiry + count) + amount > limit:
            return False
        self._windows[key] = (int(number), count + amount, before)
        self._windows.move_to_end(key)
        if len(self._windows) > self._max_keys:
            self._windows.popitem(last=False)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """The count of the window before and its remaining seconds, and both of this window."""
        number, elapsed = divmod(time.time(), expiry)
        before, count = self._window(key, int(number))
        left = expiry - elapsed
        return before, left if before else 0.0, count, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - the package's signature
        """Forgets the key."""
        self._windows.pop(key, None)
