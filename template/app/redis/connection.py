"""Redis clients and their connection pool."""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.exceptions import ConnectionError as NotConnectedError

TIMEOUT: Final = 1.0
"""Seconds for connecting and for each response. Beyond that, a request is faster without the cache."""
MAX_CONNECTIONS: Final = 32


def connect(url: str, *, timeout: float = TIMEOUT, max_connections: int = MAX_CONNECTIONS) -> Redis:
    """Return a client with a connection pool of its own. Connects on demand. Close it with `await client.aclose()`.

    Args:
        url: the form of REDIS_URL.
        timeout: seconds for connecting and for each response. Blocking commands need more.
        max_connections: the size of the pool. A caller waits up to `timeout` for a free connection.
    """
    options = connection_options(url) | {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    return Redis.from_pool(Pool(acquire_timeout=timeout, max_connections=max_connections, **options))


class Pool(ConnectionPool):
    """A connection pool for callers that may be cancelled at any moment.

    redis-py's own blocking pool loses a slot when the waiter that it wakes up is cancelled.

    Args:
        acquire_timeout: seconds to wait for a connection when all are in use.
        options: of each connection.
    """

    def __init__(self, *, acquire_timeout: float, max_connections: int, **options: Any) -> None:  # noqa: ANN401 - redis-py's
        super().__init__(max_connections=max_connections, **options)
        self._acquire_timeout = acquire_timeout
        self._slots = asyncio.Semaphore(max_connections)

    async def get_connection(self, *_: object, **__: object) -> AbstractConnection:
        """See redis-py."""
        try:
            async with asyncio.timeout(self._acquire_timeout):
                await self._slots.acquire()
        except TimeoutError as error:
            raise NotConnectedError("No connection available.") from error
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """See redis-py. Awaits nothing that blocks."""
        await super().release(connection)
        self._slots.release()

    async def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """See redis-py. Closes idle connections without waiting: a caller may acquire one meanwhile."""
        if inuse_connections:
            await super().disconnect()
            return
        for connection in self._available_connections:
            await connection.disconnect(nowait=True)


class _Aborting(AbstractConnection):
    """A connection that is closed at once when a command is cut off.

    redis-py closes it gracefully: a server that doesn't read keeps the socket and the unsent command in memory.
    """

    async def disconnect(self, nowait: bool = False) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """See redis-py."""
        if nowait and self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(nowait)


class _AbortingConnection(_Aborting, Connection):
    """A TCP connection."""


class _AbortingSSLConnection(_Aborting, SSLConnection):
    """A TLS connection."""


class _AbortingUnixConnection(_Aborting, UnixDomainSocketConnection):
    """A connection through a Unix socket."""


_CLASSES: Final = {"redis": _AbortingConnection, "rediss": _AbortingSSLConnection, "unix": _AbortingUnixConnection}


def connection_options(url: str) -> dict[str, Any]:
    """Return the options of redis-py's connection pools for a URL."""
    scheme = urlsplit(url).scheme
    options: dict[str, Any] = {} if scheme == "unix" else {"socket_keepalive": True}
    if scheme == "rediss":
        # By default, redis-py verifies the certificate but not the host name.
        options["ssl_check_hostname"] = parse_qs(urlsplit(url).query).get("ssl_cert_reqs") != ["none"]
    return options | dict(parse_url(url)) | {"connection_class": _CLASSES[scheme]}
