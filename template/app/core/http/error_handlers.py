"""Renders every error in the one shape."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app.core.context import context_of
from app.core.errors import AppError, PayloadTooLargeError, RateLimitedError
from app.core.http.dispatcher import allowed_methods
from app.core.http.rate_limit import ensure_limited

logger = structlog.stdlib.get_logger(__name__)

NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE, UNPROCESSABLE, INTERNAL = 404, 405, 413, 422, 500

MAX_REPORTED_ERRORS = 20
MAX_REPORTED_LENGTH = 200
"""Characters of a message, and of each key on the way to an invalid value."""
MAX_REPORTED_DEPTH = 20

# Named here where the names of the standard library differ from those of `core.errors` or between Python versions.
CODES = {
    TOO_LARGE: PayloadTooLargeError.code,
    UNPROCESSABLE: "VALIDATION_ERROR",
    INTERNAL: AppError.code,
}
INTERNAL_MESSAGE = "Something went wrong on our side. Quote the request id when you report it."


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable; for programs.", examples=["NOT_FOUND"])
    message: str = Field(description="One sentence for people.", examples=["Project not found."])
    details: dict[str, object] = Field(description="Facts for programs; the code says which.")
    request_id: str = Field(description="The same as in the header X-Request-ID; names the request in the log.")


class ErrorResponse(BaseModel):
    """The shape of every error."""

    error: ErrorBody


ERROR_RESPONSES: dict[int | str, dict[str, object]] = {"default": {"model": ErrorResponse, "description": "An error"}}
"""For OpenAPI: what every route may answer instead, 422 included."""


def add_error_handlers(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(AppError, _app_error)
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
    """The answer in the one shape."""
    body = {"code": code, "message": message, "details": details or {}, "request_id": context_of(scope).request_id}
    content = to_json({"error": body}, fallback=str, inf_nan_mode="strings")
    return Response(content, status, headers=headers, media_type="application/json")


def render_app_error(scope: Scope, error: AppError) -> Response:
    """The answer to an error of ours."""
    return render(scope, error.status, error.code, error.message, details=error.details, headers=error.headers)


def render_internal(scope: Scope) -> Response:
    """The answer to an error that nobody expected: it tells nothing."""
    return render(scope, INTERNAL, CODES[INTERNAL], INTERNAL_MESSAGE)


async def _app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - what the handler is registered for
    if error.status >= INTERNAL:
        logger.warning("request_failed", code=error.code, details=error.details)
    return render_app_error(request.scope, error)


async def _http_exception(request: Request, error: Exception) -> Response:
    """What Starlette, FastAPI or a route raises as a bare status."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what the handler is registered for
    status = error.status_code
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return Response(status_code=status, headers=error.headers)
    if (refused := await _refused(request)) is not None:
        return refused
    headers = dict(error.headers or {})
    message, details = _spoken(error)
    if status == METHOD_NOT_ALLOWED:
        # Starlette names those of one route, where the path may have several.
        allowed = allowed_methods(request)
        headers["Allow"] = ", ".join(allowed) or headers.get("Allow", "")
        message = f"This route answers {headers['Allow']}, not {request.method}."
    elif status == NOT_FOUND and "endpoint" not in request.scope:
        message = "There is no such route."
    return render(request.scope, status, _code(status), message, details=details, headers=headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    """Says what is wrong where, and never repeats what was sent."""
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
    """Return where the value is, what is wrong and the type of error; each of bounded length, since keys are input."""
    loc = [part[:MAX_REPORTED_LENGTH] if isinstance(part, str) else part for part in item["loc"][:MAX_REPORTED_DEPTH]]
    return {"loc": loc, "msg": item["msg"][:MAX_REPORTED_LENGTH], "type": item["type"]}


async def _internal_error(request: Request, _error: Exception) -> Response:
    return render_internal(request.scope)


async def _refused(request: Request) -> Response | None:
    """Counts what fails before any dependency has run: no such route, another method, a body that is no JSON."""
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


def _spoken(error: HTTPException) -> tuple[str, Mapping[str, object]]:
    detail: object = error.detail
    if isinstance(detail, str):
        return detail, {}
    phrase = HTTPStatus(error.status_code).phrase
    return phrase, dict(detail) if isinstance(detail, Mapping) else {"detail": detail}
