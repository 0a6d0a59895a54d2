"""Renders every error in the one shape."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from app.core.errors import AppError


def add_error_handlers(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(AppError, _render)


async def _render(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)  # noqa: S101
    body = {"error": {"code": error.code, "message": error.message, "details": error.details, "request_id": ""}}
    return JSONResponse(body, error.status, headers=error.headers)
