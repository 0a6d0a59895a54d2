"""A deadline for a block or an async function."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta


@asynccontextmanager
async def timeout(duration: timedelta) -> AsyncIterator[None]:
    """Cancel the block after the duration. Also a decorator of async functions: `@timeout(timedelta(seconds=2))`.

    Raises:
        TimeoutError: the block took longer.
    """
    async with asyncio.timeout(duration.total_seconds()):
        yield
