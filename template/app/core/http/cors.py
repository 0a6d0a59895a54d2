"""CORS, with refusals in the format of all errors."""

from typing import override

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.errors import BadRequestError
from app.core.http.error_handlers import render_app_error

REFUSED = "Disallowed CORS "
"""The beginning of Starlette's refusal. The names of what it refuses follow."""


class CorsRefusedError(BadRequestError):
    """A browser's preflight request asks for something that BACKEND_CORS_ORIGINS does not allow."""

    code = "CORS_REFUSED"

    def __init__(self, refused: list[str], headers: dict[str, str]) -> None:
        super().__init__(
            f"Requests from web pages are not allowed with this {' and '.join(refused)}.",
            details={"refused": refused},
            headers=headers,
        )


class Cors(CORSMiddleware):
    """Starlette's middleware, whose refusals are plain text."""

    @override
    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to a preflight request."""
        response = super().preflight_response(request_headers)
        text = bytes(response.body).decode()
        if not text.startswith(REFUSED):
            return response
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return _Refusal(CorsRefusedError(text.removeprefix(REFUSED).split(", "), kept))


class _Refusal(Response):
    """An error that is rendered once the request is known, since it contains the request's id."""

    def __init__(self, error: CorsRefusedError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await render_app_error(scope, self._error)(scope, receive, send)
