"""The connection to a Redis that may go away and come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.redis.connection import TIMEOUT

logger = structlog.stdlib.get_logger(__name__)

PAUSE: Final = timedelta(seconds=1)
"""Between two looks whether Redis is back."""
PROBE: Final = "limit:probe"


class LostError(Exception):
    """Redis does not answer, and is left alone until it does again. Nothing is known of what was sent last."""


class Link:
    """Calls Redis while it is there, and fails at once while it is not.

    The first call that fails ends it for all: from then on nobody waits for a connection that does not come. One task
    looks every now and then whether Redis takes something to keep again, and ends when it does.

    Args:
        pause: between two looks.
        timeout: seconds for each answer, waiting for a connection included.
    """

    def __init__(self, client: Redis, *, pause: timedelta = PAUSE, timeout: float = TIMEOUT) -> None:
        self.client = client
        self._timeout = timeout
        self._pause = pause.total_seconds()
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether Redis is being waited for."""
        return self._looking is not None

    async def call[T](self, command: Callable[[], Awaitable[T]]) -> T:
        """What the command answers, in time.

        Raises:
            LostError: Redis does not answer, refuses what it is asked, or is known to be away.
        """
        if self._looking is not None:
            raise LostError
        try:
            return await self._once(command)
        except (RedisError, OSError, TimeoutError) as error:
            self._lose(error)
            raise LostError from error

    async def back(self) -> None:
        """Returns when Redis is no longer being waited for."""
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def check(self) -> None:
        """Returns when Redis keeps what it is given.

        Raises:
            RedisError, OSError, TimeoutError: it does not.
        """
        # A server that is full, or that has become another's replica, answers a ping as well.
        await self._once(lambda: self.client.set(PROBE, b"", px=1000))

    async def _once[T](self, command: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(self._timeout):
            return await command()

    def _lose(self, error: Exception) -> None:
        if self._looking is None:
            logger.warning("redis_lost", error=type(error).__name__)
            # A context of its own: this is no longer the affair of the request that has found it out.
            self._looking = asyncio.get_running_loop().create_task(self._look(), context=Context())

    async def _look(self) -> None:
        while True:
            # What is open leads to a server that may be another's replica by now.
            with suppress(RedisError, OSError):
                await self.client.connection_pool.disconnect(inuse_connections=False)
            await asyncio.sleep(self._pause)
            with suppress(RedisError, OSError, TimeoutError):
                await self.check()
                break
        self._looking = None
        logger.info("redis_back")

    async def close(self) -> None:
        """Stops looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])


@asynccontextmanager
async def opened(client: Redis) -> AsyncIterator[Link]:
    """A link on the client for the length of the block. A Redis that is away at the start is waited for as well."""
    link = Link(client, pause=PAUSE)
    try:
        with suppress(LostError):
            await link.call(link.check)
        yield link
    finally:
        await link.close()
