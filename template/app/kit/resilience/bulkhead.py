"""A limit of concurrent calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.kit.external_calls import reported_call
from app.kit.resilience.errors import BulkheadFullError


class Bulkhead:
    """Slots for concurrent calls of this process, so that one slow system doesn't occupy all of it.

    Keep one instance per system for the lifetime of the process.

    Args:
        name: the system's name, for errors and telemetry.
        limit: the maximum number of concurrent calls.
        max_wait: the maximum time that a call waits for a slot. Zero: it doesn't wait.
    """

    def __init__(self, name: str, *, limit: int, max_wait: timedelta = timedelta(seconds=1)) -> None:
        if limit < 1:
            raise ValueError(f"limit is {limit}; it must be at least 1.")
        self.name = name
        self.limit = limit
        self._max_wait = max_wait.total_seconds()
        self._slots = asyncio.Semaphore(limit)

    @property
    def is_full(self) -> bool:
        """Whether a call must wait for a slot."""
        return self._slots.locked()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Occupy a slot for the length of the block. Also a decorator of async functions: `@printer.slot()`.

        Raises:
            BulkheadFullError: no slot was free in time.
        """
        await self._acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def _acquire(self) -> None:
        if self.is_full:
            try:
                async with asyncio.timeout(self._max_wait):
                    await self._slots.acquire()
            except TimeoutError:
                with reported_call(self.name) as report:
                    report.is_refused = True
                    raise BulkheadFullError(self.name, self.limit) from None
        else:
            await self._slots.acquire()
