"""Limits of connections, which protect the server from clients that are slow or send too much."""

from dataclasses import dataclass
from typing import Self

from app.core.config.settings import Settings

MIN_RATE = 500
"""Bytes per second that a client must send or read: each second beyond a deadline needs as many."""
MAX_HEADERS = 100
"""Headers of a request, as in Apache and gunicorn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """Limits of the connections of one process. Times are in seconds.

    Attributes:
        max_connections: open at the same time, WebSockets included.
        max_header_size: bytes of the request line and the headers.
        header_timeout: until the headers have arrived.
        body_timeout: until the body has arrived; longer for large bodies, by `MIN_RATE`.
        write_timeout: until the client reads more of a response.
        keep_alive_timeout: between two requests on a connection. Must be longer than that of the proxy in front.
        drain_delay: between SIGTERM, when the readiness route begins to answer 503, and closing the listening socket.
    """

    max_connections: int = 1000
    max_header_size: int = 32 * 1024
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    write_timeout: float = 30.0
    keep_alive_timeout: int = 75
    drain_delay: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings name."""
        return cls(
            max_connections=settings.HTTP_MAX_CONNECTIONS,
            max_header_size=settings.HTTP_MAX_HEADER_SIZE,
            header_timeout=settings.HTTP_HEADER_TIMEOUT,
            body_timeout=settings.HTTP_BODY_TIMEOUT,
            write_timeout=settings.HTTP_WRITE_TIMEOUT,
            keep_alive_timeout=settings.HTTP_KEEP_ALIVE_TIMEOUT,
            # Locally, no load balancer has to notice.
            drain_delay=0 if settings.is_local else settings.HTTP_DRAIN_DELAY,
        )
