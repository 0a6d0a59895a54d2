"""Clients of Redis."""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url

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
    pool = BlockingConnectionPool(
        **connection_options(url),
        timeout=timeout,  # type: ignore[arg-type] # any number of seconds will do
        max_connections=max_connections,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
    )
    return Redis.from_pool(pool)


def connection_options(url: str) -> dict[str, Any]:
    """What redis-py's connection pools take, `connection_class` among it."""
    scheme = urlsplit(url).scheme
    options: dict[str, Any] = {} if scheme == "unix" else {"socket_keepalive": True}
    if scheme == "rediss":
        # redis-py checks the certificate but, unasked, not whose it is.
        options["ssl_check_hostname"] = parse_qs(urlsplit(url).query).get("ssl_cert_reqs") != ["none"]
    return options | dict(parse_url(url))
