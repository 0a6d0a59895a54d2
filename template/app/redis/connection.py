"""Clients of Redis."""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.exceptions import ConnectionError as NotConnectedError

TIMEOUT: Final = 1.0
"""Seconds for connecting, and for each answer: whoever waits longer for a cache is better off without."""
MAX_CONNECTIONS: Final = 32


def connect(url: str, *, timeout: float = TIMEOUT, max_connections: int = MAX_CONNECTIONS) -> Redis:
    """A client with connections of its own, which it opens when they are needed. Close it with `await client.aclose()`.

    Args:
        url: as REDIS_URL has it.
        timeout: seconds for connecting and for each answer; commands that wait on the server need more.
        max_connections: how many it opens; who needs one more waits for up to `timeout`.
    """
    options = connection_options(url) | {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    return Redis.from_pool(Pool(patience=timeout, max_connections=max_connections, **options))


class Pool(ConnectionPool):
    """Connections for callers that may be cut off at any moment.

    redis-py closes a connection whose answer nobody has waited for. Its own pool that waits, though, hands places on
    under a lock and wakes one who waits: when that one is cut off, the place is nobody's.

    Args:
        patience: seconds to wait for a connection when all are in use.
        options: of each connection.
    """

    def __init__(self, *, patience: float, max_connections: int, **options: Any) -> None:  # noqa: ANN401 - redis-py's
        super().__init__(max_connections=max_connections, **options)
        self._patience = patience
        self._places = asyncio.Semaphore(max_connections)

    async def get_connection(self, *_: object, **__: object) -> AbstractConnection:
        """See redis-py."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
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
        """See redis-py. Waits for nothing."""
        await super().release(connection)
        self._places.release()

    async def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """See redis-py. Idle ones are closed at once: who took one up meanwhile would lose what he has opened anew."""
        if inuse_connections:
            await super().disconnect()
            return
        for connection in self._available_connections:
            await connection.disconnect(nowait=True)


def connection_options(url: str) -> dict[str, Any]:
    """What redis-py's connection pools take, `connection_class` among it."""
    scheme = urlsplit(url).scheme
    options: dict[str, Any] = {} if scheme == "unix" else {"socket_keepalive": True}
    if scheme == "rediss":
        # redis-py checks the certificate but, unasked, not whose it is.
        options["ssl_check_hostname"] = parse_qs(urlsplit(url).query).get("ssl_cert_reqs") != ["none"]
    return options | dict(parse_url(url))
