"""The payloads that Sentry gets. Everything in them is listed here: nothing is collected automatically.

Source: https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/
"""

from typing import Any

from app.core.ports.telemetry import HttpRequest, InboxAttempt, JobAttempt, Operation, RealtimeConnection
from app.sentry.trail import Trail

FAILED = 500

type Event = dict[str, Any]


def error_event(values: list[dict[str, Any]], operation: Operation | None, trail: Trail | None) -> Event:
    """Return the event of an unexpected exception.

    Args:
        values: from `exception_values`.
    """
    event: Event = {"level": "error", "exception": {"values": values}}
    if operation is not None:
        event |= _subject(operation)
    if trail is not None:
        event["breadcrumbs"] = {"values": trail.breadcrumbs()}
        event["contexts"] = {"trace": {"trace_id": trail.trace_id, "span_id": trail.span_id}}
    return event


def transaction_event(operation: Operation, trail: Trail) -> Event:
    """Return the transaction of a request or a job, with its spans."""
    trace = {
        "trace_id": trail.trace_id,
        "span_id": trail.span_id,
        "op": "http.server" if isinstance(operation, HttpRequest) else "queue.process",
        "status": _status(operation),
    }
    return {
        "type": "transaction",
        "start_timestamp": trail.at(operation.started_at).isoformat(),
        "timestamp": trail.at(operation.started_at + operation.duration).isoformat(),
        "transaction_info": {"source": "route" if isinstance(operation, HttpRequest) else "task"},
        "contexts": {"trace": trace},
        "spans": trail.spans(),
        **_subject(operation),
    }


def _subject(operation: Operation) -> Event:
    """Return what identifies a request or a job: by ids and templates, without its data."""
    match operation:
        case HttpRequest(method=method, route=route, user_id=user, request_id=request):
            path = route or "unknown"
            event: Event = {
                "transaction": f"{method} {path}",
                "request": {"method": method, "url": path},
                "tags": {"request_id": request, "status": str(operation.status)},
            }
        case RealtimeConnection(route=route, user_id=user, request_id=request):
            path = route or "unknown"
            event = {"transaction": f"WebSocket {path}", "request": {"url": path}, "tags": {"request_id": request}}
        case JobAttempt(name=name, job_id=job, attempt=attempt, request_id=request):
            user = None
            tags = {"job": name, "job_id": job, "attempt": str(attempt)}
            event = {"transaction": name, "tags": tags | ({"request_id": request} if request else {})}
        case InboxAttempt(provider=provider, handler=handler, attempt=attempt):
            user = None
            tags = {"provider": provider, "handler": handler, "attempt": str(attempt)}
            event = {"transaction": handler, "tags": tags}
        case _:
            return {"transaction": operation.kind}
    return event | ({"user": {"id": user}} if user else {})


def _status(operation: Operation) -> str:
    failed = operation.status >= FAILED if isinstance(operation, HttpRequest) else operation.error is not None
    return "internal_error" if failed else "ok"
