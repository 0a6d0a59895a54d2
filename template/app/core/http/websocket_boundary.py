"""Refusals of WebSockets: before it accepts, the server can still answer with an HTTP response."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.core.context import context_of
from app.core.errors import ForbiddenError
from app.core.http.error_handlers import NOT_FOUND, render, render_app_error, render_internal

logger = structlog.stdlib.get_logger(__name__)

CLOSE = "websocket.close"


async def serve_websocket(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a WebSocket. One that is not accepted is refused with the common error: 404, 403 or 500.

    Where the server lacks the extension for such responses, the client gets the server's own 403.
    """
    begun = False

    async def send_with_refusal(message: Message) -> None:
        nonlocal begun
        refused = message["type"] == CLOSE and not begun and _accepts_response(scope)
        begun = True
        if not refused:
            await send(message)
        elif "endpoint" in scope:
            await render_app_error(scope, ForbiddenError("The WebSocket was refused."))(scope, receive, send)
        else:
            await render(scope, NOT_FOUND, "NOT_FOUND", "No WebSocket has this path.")(scope, receive, send)

    try:
        await app(scope, receive, send_with_refusal)
    except WebSocketDisconnect:
        logger.info("client_disconnected")
    except Exception as error:
        context_of(scope).error = error
        logger.exception("unhandled_error", path=scope["path"])
        if begun or not _accepts_response(scope):
            # Only the server can still close the connection.
            raise
        await render_internal(scope)(scope, receive, send)


def _accepts_response(scope: Scope) -> bool:
    return "websocket.http.response" in (scope.get("extensions") or {})
