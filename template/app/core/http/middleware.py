"""The middleware of every request, as pure ASGI: one class outside of CORS and one inside.

From the outside: `RequestMiddleware` (request id, access log, security and rate-limit headers) → CORS → `ErrorBoundary`
(limits of the body, unexpected errors) → FastAPI.
"""

import re
import sys
import time
from collections.abc import Collection, Iterable

import structlog
from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from app.core.config.settings import ConfigurationError, Settings
from app.core.context import SCOPE_KEY, RequestContext, context_of, current_request
from app.core.http.body_limit import limited_receive, refuse_declared_size
from app.core.http.cors import Cors
from app.core.http.error_handlers import render_app_error, render_internal
from app.core.http.telemetry import CLIENT_CLOSED, SWITCHING_PROTOCOLS, finish_operation, start_operation
from app.core.http.websocket_boundary import serve_websocket
from app.kit.user_error import UserError

type Headers = list[tuple[bytes, bytes]]

logger = structlog.stdlib.get_logger(__name__)

RESPONSE_STARTS = ("http.response.start", "websocket.http.response.start")
"""The second one refuses a WebSocket."""
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
LOCAL_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
"""The origins that may call the API in local where BACKEND_CORS_ORIGINS is empty."""
IMPERSONATION = b"x-impersonation"
"""The response header that names the administrator who acts as the user, and the user."""
EXPOSED = (
    "X-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
    "X-Impersonation",
)

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
API_CSP = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# Swagger UI sets styles on its elements, and shows images that are data URLs.
DOCS_POLICY = (
    "default-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "connect-src 'self'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
)
DOCS_CSP = (b"content-security-policy", "; ".join(DOCS_POLICY).encode())


def add_middleware(app: FastAPI, settings: Settings, *, docs: Collection[str], unlogged: Collection[str]) -> None:
    """Add the middleware.

    Args:
        app: the application.
        settings: of the core.
        docs: paths of pages that load scripts.
        unlogged: paths without a line in the log, such as the health route, which monitoring calls all the time.
    """
    # The middleware that is added last is the outermost.
    app.add_middleware(ErrorBoundary, max_body_size=settings.MAX_BODY_SIZE, max_json_values=settings.MAX_JSON_VALUES)
    if settings.BACKEND_CORS_ORIGINS or settings.is_local:
        app.add_middleware(
            Cors,
            allow_origins=[origin.rstrip("/") for origin in settings.BACKEND_CORS_ORIGINS],
            # The development server of a front end, on whatever port.
            allow_origin_regex=LOCAL_ORIGIN if settings.is_local and not settings.BACKEND_CORS_ORIGINS else None,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(
        RequestMiddleware, hsts=settings.is_production, docs=frozenset(docs), unlogged=frozenset(unlogged)
    )


class RequestMiddleware:
    """The outer middleware: assigns the request id, adds headers to the response, and logs one line."""

    def __init__(self, app: ASGIApp, *, hsts: bool, docs: frozenset[str], unlogged: frozenset[str]) -> None:
        self.app = app
        self._docs = docs
        self._unlogged = unlogged
        common = [*SECURITY_HEADERS, HSTS] if hsts else SECURITY_HEADERS
        self._api_headers = [*common, API_CSP]
        self._docs_headers = [*common, DOCS_CSP]
        self._log = structlog.stdlib.get_logger("app.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, _without_traceback(send))
            return
        headers = scope["headers"]
        context = scope[SCOPE_KEY] = RequestContext(_request_id(headers), time.perf_counter(), headers)
        context.server_send = send
        path = scope["path"]
        extra = self._docs_headers if path in self._docs else self._api_headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "websocket.accept":
                context.status = SWITCHING_PROTOCOLS
            elif message["type"] in RESPONSE_STARTS:
                context.status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), context, extra)
            await send(message)

        token = current_request.set(context)
        telemetry = scope["app"].state.runtime.telemetry
        operation = start_operation(telemetry, scope, context) if telemetry.listeners else None
        try:
            await self.app(scope, receive, send_with_headers)
        except BaseException as error:
            context.error = error
            raise
        finally:
            # Logged first: the line belongs to the trace that the operation's end closes.
            if path not in self._unlogged:
                self._log_line(scope, context)
            if operation is not None:
                finish_operation(telemetry, operation, context)
            # Its traceback refers to the context: without the cycle, both are freed at once.
            context.error = None
            current_request.reset(token)

    def _log_line(self, scope: Scope, context: RequestContext) -> None:
        if scope["type"] != "http":
            return
        self._log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            route=context.route.template if context.route else None,
            status=context.status or CLIENT_CLOSED,
            duration_ms=round((time.perf_counter() - context.started_at) * 1000, 2),
        )


class ErrorBoundary:
    """The inner middleware: renders unexpected errors, to which outer layers add headers, and limits the body."""

    def __init__(self, app: ASGIApp, *, max_body_size: int, max_json_values: int) -> None:
        self.app = app
        self._max_body_size = max_body_size
        self._max_json_values = max_json_values

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] == "websocket":
            await serve_websocket(self.app, scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = _content_length(scope["headers"])
        if length is not None and (refusal := refuse_declared_size(scope, length, self._max_body_size)) is not None:
            await render_app_error(scope, refusal)(scope, receive, send)
            return
        limited = limited_receive(
            scope, receive, length=length, max_size=self._max_body_size, max_values=self._max_json_values
        )
        try:
            await self.app(scope, limited, send)
        except ClientDisconnect:
            logger.info("client_disconnected")
        except Exception as error:
            context_of(scope).error = error
            logger.exception("unhandled_error", method=scope["method"], path=scope["path"])
            if context_of(scope).status is not None:
                # The status is already sent. Only the server can still tell the client, by closing the connection.
                raise
            await render_internal(scope)(scope, receive, send)


def _without_traceback(send: Send) -> Send:
    """Shorten the server's message about a failed start to the text of the error, if its reader can fix the cause."""

    async def send_short(message: Message) -> None:
        error = sys.exception()
        if message["type"] == "lifespan.startup.failed" and isinstance(error, ConfigurationError | UserError):
            message = {**message, "message": str(error)}
        await send(message)

    return send_short


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the client's id if it has a safe form, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode()
    return uuid7().hex


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def _completed(headers: Iterable[tuple[bytes, bytes]], context: RequestContext, extra: Headers) -> Headers:
    """Return the headers with the default ones added, except where the handler has set them."""
    result = list(headers)
    present = {name.lower() for name, _ in result}
    result.append((b"x-request-id", context.request_id.encode()))
    if context.rate_limit_headers is not None:
        result += context.rate_limit_headers
    if context.impersonator_id is not None:
        result.append((IMPERSONATION, f"impersonator={context.impersonator_id}; user={context.user_id}".encode()))
    result += [header for header in extra if header[0] not in present]
    return result
