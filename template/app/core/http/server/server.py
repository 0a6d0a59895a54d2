"""The server of staging and production: uvicorn with limits, and a stop that load balancers notice in time."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog
import uvicorn
from uvicorn.supervisors import multiprocess

from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.protocol import LimitedConfig, LimitedProtocol
from app.core.http.server.state import DRAIN, DRAINING, Drain
from app.core.http.server.websocket import LimitedWebSocket
from app.kit.user_error import UserError

SWEEP_INTERVAL = 1.0
"""Seconds between two looks at the deadlines of all connections; less where a deadline is that short."""

logger = structlog.stdlib.get_logger(__name__)


class LimitedServer(uvicorn.Server):
    """uvicorn's server with deadlines of connections. After SIGTERM, it reports that it is not ready, then stops."""

    def __init__(self, config: LimitedConfig) -> None:
        super().__init__(config)
        self._limits = config.limits
        shortest = min(self._limits.header_timeout, self._limits.body_timeout, self._limits.write_timeout)
        self._interval = min(SWEEP_INTERVAL, shortest / 4)
        self._next_sweep = 0.0
        self._stop_at: float | None = None
        self._drain = Drain()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`. Connections that are open learn from the shared state that the server stops."""
        self.lifespan.state[DRAIN] = self._drain
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """See `uvicorn.Server.on_tick`: called ten times a second."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_sweep:
            self._next_sweep = now + self._interval
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, LimitedProtocol | LimitedWebSocket):
                    connection.enforce_deadlines(now)
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain on the first SIGTERM; stop at once on SIGINT or a second signal."""
        if sig == signal.SIGTERM and self._stop_at is None and self.started and self._limits.drain_delay:
            self.lifespan.state[DRAINING] = True
            self._drain.began = True
            self._stop_at = time.monotonic() + self._limits.drain_delay
        else:
            super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals. uvicorn raises them again once it has stopped, so that a clean stop would exit with 143."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()


class _Worker(multiprocess.Process):
    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            assert isinstance(self.config, LimitedConfig)  # noqa: S101 - what `run` has given to the supervisor
            self._server = LimitedServer(self.config)
        return self._server


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, which does not listen before the application has started.

    `::` accepts IPv4 as well, where the system can.

    Raises:
        UserError: the address cannot be used; says why.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::" or not socket.has_dualstack_ipv6())
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UserError(f"Cannot listen on {host}, port {port}: {error.strerror or error}.") from error
    return bound


def run(app: Any, *, listener: socket.socket, limits: ConnectionLimits, workers: int = 1, **options: Any) -> None:  # noqa: ANN401
    """Serve until a signal arrives.

    Args:
        app: the application; with several workers, the name of its factory.
        listener: from `bind`.
        limits: of each worker's connections.
        workers: processes.
        options: of uvicorn.
    """
    config = LimitedConfig(app, limits=limits, workers=workers, factory=workers > 1, **options)
    host, port = listener.getsockname()[:2]
    logger.info("serving", host=host, port=port, workers=workers)
    if workers == 1:
        LimitedServer(config).run(sockets=[listener])
        return
    # uvicorn has no other way to give the supervisor a server class.
    multiprocess.Process = _Worker  # type: ignore[misc]
    listener.set_inheritable(True)
    multiprocess.Multiprocess(config, sockets=[listener]).run()
