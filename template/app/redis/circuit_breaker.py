"""A circuit breaker for Redis: while Redis is unavailable, calls fail at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from app.kit.external_calls import reported_call
from app.redis.connection import TIMEOUT

logger = structlog.stdlib.get_logger(__name__)

PROBE_INTERVAL: Final = timedelta(seconds=1)
"""Interval between two probes while the circuit is open."""
PROBE_KEY: Final = "limit:probe"


class RedisUnavailableError(Exception):
    """Redis does not answer, and no call is made until it does. The outcome of the last command is unknown."""


def _concerns_one_key(error: Exception) -> bool:
    """Return whether Redis rejected a command for its key: a value of another type, or a key outside of the ACL."""
    return isinstance(error, NoPermissionError) or (
        isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")
    )


class CircuitBreaker:
    """A circuit breaker that calls Redis while it is available.

    The first failing call opens the circuit: from then on no caller waits for a connection. A background task probes
    Redis by writing a key, and closes the circuit as soon as that works.

    Args:
        pause: the interval between two probes.
        timeout: seconds for each call, including the wait for a connection.
    """

    def __init__(self, client: Redis, *, pause: timedelta = PROBE_INTERVAL, timeout: float = TIMEOUT) -> None:
        self.client = client
        self._timeout = timeout
        self._pause = pause.total_seconds()
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once."""
        return self._probing is not None

    async def call[T](self, command: Callable[[], Awaitable[T]]) -> T:
        """Return the command's result.

        Raises:
            RedisUnavailableError: Redis does not answer in time, rejects the command, or the circuit is open.
        """
        if self._probing is not None:
            raise RedisUnavailableError
        try:
            with reported_call("redis"):
                return await self._once(command)
        except (RedisError, OSError, TimeoutError) as error:
            if _concerns_one_key(error):
                logger.error("redis_command_rejected", error=str(error).partition(" ")[0])  # noqa: TRY400 - no traceback helps
            else:
                self._open(error)
            raise RedisUnavailableError from error

    async def wait_until_closed(self) -> None:
        """Return when Redis is available again."""
        if self._probing is not None:
            await asyncio.wait([self._probing])

    async def check(self) -> None:
        """Return if Redis accepts writes.

        Raises:
            RedisError, OSError, TimeoutError: it does not.
        """
        # A full server, or one that has become a replica, still answers a ping.
        await self._once(lambda: self.client.set(PROBE_KEY, b"", px=1000))

    async def _once[T](self, command: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(self._timeout):
            return await command()

    def _open(self, error: Exception) -> None:
        if self._probing is None:
            logger.warning("redis_lost", error=type(error).__name__)
            # An empty context: the task is not part of the request that noticed the outage.
            self._probing = asyncio.get_running_loop().create_task(self._probe(), context=Context())

    async def _probe(self) -> None:
        while True:
            # Open connections may lead to a server that has become a replica.
            with suppress(RedisError, OSError):
                await self.client.connection_pool.disconnect(inuse_connections=False)
            await asyncio.sleep(self._pause)
            with suppress(RedisError, OSError, TimeoutError):
                await self.check()
                break
        self._probing = None
        logger.info("redis_back")

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])


@asynccontextmanager
async def open_circuit_breaker(client: Redis) -> AsyncIterator[CircuitBreaker]:
    """Open a circuit breaker for the length of the block. Redis may be unavailable at the start."""
    breaker = CircuitBreaker(client, pause=PROBE_INTERVAL)
    try:
        with suppress(RedisUnavailableError):
            await breaker.call(breaker.check)
        yield breaker
    finally:
        await breaker.close()
