"""Report HTTP requests and WebSockets to telemetry."""

from typing import Final

from starlette.types import Scope

from app.core.context import RequestContext
from app.core.ports.operations import HttpRequest, RealtimeConnection
from app.core.ports.telemetry import Telemetry

CLIENT_CLOSED: Final = 499
"""The status of a request whose client disconnected before the response started (as in nginx)."""
SWITCHING_PROTOCOLS: Final = 101


def start_operation(telemetry: Telemetry, scope: Scope, context: RequestContext) -> HttpRequest | RealtimeConnection:
    """Report that a request or a WebSocket starts."""
    if scope["type"] == "websocket":
        return telemetry.start(RealtimeConnection(request_id=context.request_id))
    traceparent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
    operation = HttpRequest(method=scope["method"], request_id=context.request_id, traceparent=traceparent)
    return telemetry.start(operation)


def finish_operation(
    telemetry: Telemetry, operation: HttpRequest | RealtimeConnection, context: RequestContext
) -> None:
    """Report that a request or a WebSocket has finished."""
    operation.route = context.route.template if context.route else None
    operation.user_id = context.user_id
    if isinstance(operation, HttpRequest):
        operation.status = context.status or CLIENT_CLOSED
    else:
        operation.accepted = context.status == SWITCHING_PROTOCOLS
    telemetry.finish(operation, context.error)
