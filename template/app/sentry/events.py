"""The payloads that Sentry gets. Everything in them is listed here: nothing is collected automatically.

Source: https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/
"""

import re
from collections.abc import Callable
from typing import Any, Final

from app.core.context import RequestContext, observed_request
from app.core.ports.operations import HttpRequest, InboxAttempt, JobAttempt, Operation, RealtimeConnection
from app.sentry.trail import Trail

FAILED: Final = 500
HEADERS: Final[dict[bytes, Callable[[str], re.Match[str] | None]]] = {
    b"content-length": re.compile(r"\d{1,12}", re.ASCII).fullmatch,
    b"content-type": re.compile(r"application/json|multipart/form-data|text/plain|text/event-stream").match,
}
"""The headers that are sent, and the part of each that is: none can contain what a client wrote."""

type Event = dict[str, Any]


def error_event(values: list[dict[str, Any]], trail: Trail | None) -> Event:
    """Return the event of an unexpected exception.

    Args:
        values: from `exception_values`.
    """
    event: Event = {"level": "error", "exception": {"values": values}}
    if trail is not None:
        trace_id, span_id = trail.ids()
        event |= _describe(trail)
        event["breadcrumbs"] = {"values": trail.breadcrumbs()}
        event["contexts"] = {"trace": {"trace_id": trace_id, "span_id": span_id}}
    return event


def transaction_event(trail: Trail) -> Event:
    """Return the transaction of a request or a job, with its spans."""
    operation = trail.operation
    is_request = isinstance(operation, HttpRequest)
    trace_id, span_id = trail.ids()
    trace = {
        "trace_id": trace_id,
        "span_id": span_id,
        "op": "http.server" if is_request else "queue.process",
        "status": _status(operation),
    }
    return {
        "type": "transaction",
        "start_timestamp": trail.at(operation.started_at).isoformat(),
        "timestamp": trail.at(operation.started_at + operation.duration).isoformat(),
        "transaction_info": {"source": "route" if is_request else "task"},
        "contexts": {"trace": trace},
        "spans": trail.spans(),
        **_describe(trail),
    }


def _describe(trail: Trail) -> Event:
    """Return the identity of a request or a job: ids and templates, without its data."""
    operation = trail.operation
    event = _identity(operation)
    tags = _tags(trail)
    if trail.external is not None:
        tags["trace_id"] = trail.external.trace_id
    return event | {"tags": tags}


def _identity(operation: Operation) -> Event:
    match operation:
        case HttpRequest() | RealtimeConnection():
            context = observed_request()
            # The operation has its route and its user when it has finished. An error is often logged before.
            if context is not None and context.request_id != operation.request_id:
                context = None
            route = operation.route or (context.route.template if context and context.route else "unknown")
            user = operation.user_id or (context.user_id if context else None)
            method = operation.method if isinstance(operation, HttpRequest) else "WebSocket"
            request: Event = {"method": method, "url": route, "headers": _headers(context)}
            event: Event = {"transaction": f"{method} {route}", "request": request}
            return event | ({"user": {"id": user}} if user else {})
        case JobAttempt(name=name) | InboxAttempt(handler=name):
            return {"transaction": name}
        case _:
            return {"transaction": operation.kind}


def _tags(trail: Trail) -> dict[str, str]:
    tags = _tags(trail.parent) if trail.parent is not None else {}
    match trail.operation:
        case HttpRequest(request_id=request) | RealtimeConnection(request_id=request):
            tags["request_id"] = request
        case JobAttempt(name=name, job_id=job, attempt=attempt, request_id=request):
            tags |= {"job": name, "job_id": job, "attempt": str(attempt)}
            if request:
                tags["request_id"] = request
        case InboxAttempt(provider=provider, handler=handler, attempt=attempt):
            tags |= {"provider": provider, "handler": handler, "attempt": str(attempt)}
    return tags


def _headers(context: RequestContext | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in context.headers if context is not None else ():
        if (match := HEADERS.get(name)) is not None and (part := match(value.decode("latin-1"))) is not None:
            found[name.decode()] = part[0]
    return found


def _status(operation: Operation) -> str:
    failed = operation.status >= FAILED if isinstance(operation, HttpRequest) else operation.error is not None
    return "internal_error" if failed else "ok"
