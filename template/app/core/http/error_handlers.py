"""Render every error in the same shape."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketState

from app.core.context import context_of
from app.core.errors import AppError, PayloadTooLargeError, RateLimitedError
from app.core.http.dispatcher import allowed_methods
from app.core.http.rate_limit import ensure_limited

logger = structlog.stdlib.get_logger(__name__)

NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE, UNPROCESSABLE, INTERNAL = 404, 405, 413, 422, 500

POLICY_VIOLATION, SERVER_ERROR = 1008, 1011
"""Codes with which a WebSocket is closed (RFC 6455 §7.4.1)."""

MAX_REPORTED_ERRORS = 20
MAX_REPORTED_LENGTH = 200
"""Characters of a message, and of each key on the way to an invalid value."""
MAX_REPORTED_DEPTH = 20

# Statuses whose names in the standard library differ from those in `core.errors` or between Python versions.
CODES = {
    TOO_LARGE: PayloadTooLargeError.code,
    UNPROCESSABLE: "VALIDATION_ERROR",
    INTERNAL: AppError.code,
}
INTERNAL_MESSAGE = "An unexpected error occurred. Include the request id when you report it."


class ErrorBody(BaseModel):
    """An error."""

    code: str = Field(description="Stable identifier of the kind of error, for programs.", examples=["NOT_FOUND"])
    message: str = Field(description="One sentence for the user.", examples=["Project not found."])
    details: dict[str, object] = Field(description="Facts for programs. Which ones depends on the code.")
    request_id: str = Field(description="Identifies the request in the log. Also in the header X-Request-ID.")


class ErrorResponse(BaseModel):
    """An error response."""

    error: ErrorBody


ERROR_RESPONSES: dict[int | str, dict[str, object]] = {"default": {"model": ErrorResponse, "description": "Error"}}
"""The error response of every route in OpenAPI, 422 included."""


def add_error_handlers(app: FastAPI) -> None:
    """Register the handlers."""
    # Starlette calls the same handler for WebSockets; its types name one kind of connection or the other.
    app.add_exception_handler(AppError, cast("Callable[[Request, Exception], Awaitable[Response]]", _app_error))
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    # Reached only when a middleware itself fails.
    app.add_exception_handler(Exception, _internal_error)


def render(
    scope: Scope,
    status: int,
    code: str,
    message: str,
    *,
    details: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response for an error."""
    body = {"code": code, "message": message, "details": details or {}, "request_id": context_of(scope).request_id}
    content = to_json({"error": body}, fallback=str, inf_nan_mode="strings")
    return Response(content, status, headers=headers, media_type="application/json")


def render_app_error(scope: Scope, error: AppError) -> Response:
    """Return the response for an `AppError`."""
    return render(scope, error.status, error.code, error.message, details=error.details, headers=error.headers)


def render_internal(scope: Scope) -> Response:
    """Return the response for an unexpected error, which reveals nothing about it."""
    return render(scope, INTERNAL, CODES[INTERNAL], INTERNAL_MESSAGE)


async def _app_error(connection: Request | WebSocket, error: Exception) -> Response | None:
    assert isinstance(error, AppError)  # noqa: S101 - what the handler is registered for
    if error.status >= INTERNAL:
        logger.warning("request_failed", code=error.code, details=error.details)
    if isinstance(connection, WebSocket) and not _accepts_response(connection):
        if connection.application_state is not WebSocketState.DISCONNECTED:
            await connection.close(SERVER_ERROR if error.status >= INTERNAL else POLICY_VIOLATION)
        return None
    return render_app_error(connection.scope, error)


def _accepts_response(websocket: WebSocket) -> bool:
    """Return whether the handshake can still be answered with an HTTP response instead of a WebSocket."""
    connecting = websocket.application_state is WebSocketState.CONNECTING
    return connecting and "websocket.http.response" in websocket.scope.get("extensions", {})


async def _http_exception(request: Request, error: Exception) -> Response:
    """Render the `HTTPException` of Starlette, FastAPI or a route."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what the handler is registered for
    status = error.status_code
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return Response(status_code=status, headers=error.headers)
    if (refused := await _refused(request)) is not None:
        return refused
    headers = dict(error.headers or {})
    message, details = _message_of(error)
    if status == METHOD_NOT_ALLOWED:
        # Starlette names the methods of one route, but several routes may have the same path.
        allowed = allowed_methods(request)
        headers["Allow"] = ", ".join(allowed) or headers.get("Allow", "")
        message = f"{request.method} is not allowed on this path. Allowed: {headers['Allow']}."
    elif status == NOT_FOUND and "endpoint" not in request.scope:
        message = "No route has this path."
    return render(request.scope, status, _code(status), message, details=details, headers=headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    """Report which values are invalid and why, without the values themselves."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what the handler is registered for
    if (refused := await _refused(request)) is not None:
        return refused
    errors = error.errors()
    details: dict[str, object] = {"errors": [_reported(item) for item in errors[:MAX_REPORTED_ERRORS]]}
    if len(errors) > MAX_REPORTED_ERRORS:
        details["omitted"] = len(errors) - MAX_REPORTED_ERRORS
    message = "The request is not valid. The details name each invalid value."
    return render(request.scope, UNPROCESSABLE, CODES[UNPROCESSABLE], message, details=details)


def _reported(item: Mapping[str, Any]) -> dict[str, object]:
    """Return the location, the message and the type of an error; each of bounded length, since keys are input."""
    loc = [part[:MAX_REPORTED_LENGTH] if isinstance(part, str) else part for part in item["loc"][:MAX_REPORTED_DEPTH]]
    return {"loc": loc, "msg": item["msg"][:MAX_REPORTED_LENGTH], "type": item["type"]}


async def _internal_error(request: Request, _error: Exception) -> Response:
    return render_internal(request.scope)


async def _refused(request: Request) -> Response | None:
    """Count a request that fails before any dependency runs: unknown path, wrong method, body that is not JSON."""
    try:
        await ensure_limited(request)
    except RateLimitedError as error:
        return render_app_error(request.scope, error)
    return None


def _code(status: int) -> str:
    if status in CODES:
        return CODES[status]
    try:
        return HTTPStatus(status).name
    except ValueError:
        return f"HTTP_{status}"


def _message_of(error: HTTPException) -> tuple[str, Mapping[str, object]]:
    detail: object = error.detail
    if isinstance(detail, str):
        return detail, {}
    phrase = HTTPStatus(error.status_code).phrase
    return phrase, dict(detail) if isinstance(detail, Mapping) else {"detail": detail}
