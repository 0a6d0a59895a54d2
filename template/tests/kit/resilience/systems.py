"""Other systems, as the helpers see them."""

import asyncio
from datetime import timedelta

SOON = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)


class System:
    """A system with a list of outcomes: one per call, the last one for all that follow."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.calls = 0
        self._outcomes = outcomes

    async def __call__(self) -> str:
        outcome = self._outcomes[min(self.calls, len(self._outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Hanging:
    """A system that accepts a call and never answers."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()

    async def __call__(self) -> None:
        self.calls += 1
        self.called.set()
        await asyncio.Event().wait()


async def cancel(task: asyncio.Task[object]) -> None:
    """Cancel the task, and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
