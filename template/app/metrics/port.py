"""The port on which a process without an HTTP server, such as `app worker`, exposes the metrics."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.core.errors import AppError, NotFoundError
from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.protocol import LimitedConfig
from app.core.http.server.server import LimitedServer, bind
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.metrics.authentication import require_token
from app.metrics.exposition import CONTENT_TYPE, Exposition

logger = structlog.stdlib.get_logger(__name__)

RETRY_INTERVAL: Final = 10.0
"""Seconds until another attempt at a port that is in use, mostly by another worker of the same machine."""
PATH: Final = "/metrics"
MAX_CONNECTIONS: Final = 20


class _Server(LimitedServer):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the worker."""
        yield


class MetricsApplication:
    """The ASGI application of the port: `GET /metrics`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Other protocols are ignored."""
        if scope["type"] == "http":
            response = await self._answer(Request(scope))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if request.url.path != PATH or request.method != "GET":
                raise NotFoundError("Page", PATH)
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            require_token(self._runtime, token.strip() if scheme.lower() == "bearer" else None)
            content = await self._runtime.resource(Exposition).text()
        except AppError as error:
            body = {"error": {"code": error.code, "message": error.message, "details": {}, "request_id": ""}}
            return JSONResponse(body, error.status, headers=error.headers)
        return Response(content, media_type=CONTENT_TYPE)


async def serve_port(runtime: Runtime, host: str, port: int) -> None:
    """Serve the metrics until the task is cancelled. While another process has the port, wait for it to become free."""
    while True:
        try:
            listener = bind(host, port)
        except UserError as error:
            logger.info("metrics_port_not_available", reason=str(error))
            await asyncio.sleep(RETRY_INTERVAL)
            continue
        limits = ConnectionLimits(max_connections=MAX_CONNECTIONS)
        config = LimitedConfig(MetricsApplication(runtime), limits=limits, lifespan="off", log_config=None)
        server = _Server(config)
        logger.info("metrics_port_open", host=host, port=port)
        try:
            await server.serve(sockets=[listener])
        finally:
            listener.close()
