"""The sweeper: closes impersonations that are over, so that the audit trail has their end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from typing import Final

import structlog

from app.core.runtime import Runtime
from app.impersonation.service import close_ended

logger = structlog.stdlib.get_logger(__name__)

INTERVAL: Final = timedelta(seconds=30)


@asynccontextmanager
async def sweeping(runtime: Runtime) -> AsyncIterator[None]:
    """Sweep at once and then every 30 seconds, until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(_sweep_until(stop, runtime), context=Context())
    try:
        yield
    finally:
        stop.set()
        task.cancel()
        await asyncio.wait({task})


async def _sweep_until(stop: asyncio.Event, runtime: Runtime) -> None:
    while not stop.is_set():
        try:
            await close_ended(runtime)
        except Exception:
            # The database may be unavailable or not migrated yet: try again in the next round.
            logger.exception("impersonation_sweep_failed")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), INTERVAL.total_seconds())
