"""Work that a process repeats in the background."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from typing import Final

import structlog

logger = structlog.stdlib.get_logger(__name__)

STOP_TIMEOUT: Final = timedelta(seconds=3)

type Step = Callable[[asyncio.Event], Awaitable[object]]
"""`async (stop)`: ends soon after `stop` is set."""


@asynccontextmanager
async def repeating(step: Step, *, interval: timedelta, failure: str) -> AsyncIterator[None]:
    """Run a step at once and then at an interval, until the block ends.

    A step that raises is logged and runs again in the next round. When the block ends, the current step may finish; it
    is cancelled after `STOP_TIMEOUT`.

    Args:
        step: the work.
        interval: from the end of a step to the beginning of the next one.
        failure: the event of the log line if the step raises, such as `inbox_sweep_failed`.
    """
    stop = asyncio.Event()
    # The context is empty: the work is not part of the request that may have started it.
    task = asyncio.create_task(_repeat(step, stop, interval, failure), context=Context())
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=STOP_TIMEOUT.total_seconds())
        task.cancel()
        await asyncio.wait({task})


async def _repeat(step: Step, stop: asyncio.Event, interval: timedelta, failure: str) -> None:
    while not stop.is_set():
        try:
            await step(stop)
        except Exception:
            # The database may be unavailable or not migrated yet, for example.
            logger.exception(failure)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), interval.total_seconds())
