"""Names and attributes of spans, after OpenTelemetry's semantic conventions where they exist.

No bodies, query strings, SQL values, prompts, addresses or messages of errors: only their types.
"""

from typing import Final, NamedTuple

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from app.core.observability.statements import describe
from app.core.ports.operations import (
    AICall,
    CacheLookup,
    DatabaseQuery,
    ExternalCall,
    HttpRequest,
    InboxAttempt,
    JobAttempt,
    Operation,
    RealtimeConnection,
)

KNOWN_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
SERVER_ERROR: Final = 500
SWITCHING_PROTOCOLS: Final = 101
FORBIDDEN: Final = 403

Attributes = dict[str, AttributeValue]


KINDS: Final = {
    HttpRequest: SpanKind.SERVER,
    RealtimeConnection: SpanKind.SERVER,
    JobAttempt: SpanKind.CONSUMER,
    InboxAttempt: SpanKind.CONSUMER,
    DatabaseQuery: SpanKind.CLIENT,
    ExternalCall: SpanKind.CLIENT,
    AICall: SpanKind.CLIENT,
    CacheLookup: SpanKind.INTERNAL,
}
"""The operations that are spans. A pool checkout is none: it lasts as long as its transaction, and is a metric."""


class Description(NamedTuple):
    """A finished operation as a span.

    Attributes:
        failed: the type of the error, if the operation counts as failed.
    """

    name: str
    attributes: Attributes
    failed: str | None


def describe_operation(operation: Operation, database: str) -> Description:
    """Return the description of a finished operation of one of the `KINDS`.

    Args:
        database: the name of the database system.
    """
    name, attributes = operation.kind, Attributes()
    match operation:
        case HttpRequest():
            name, attributes = _request(operation)
        case DatabaseQuery():
            name, attributes = _query(operation, database)
        case RealtimeConnection():
            name, attributes = _connection(operation)
        case CacheLookup():
            name = f"cache {operation.name}"
            attributes = {"app.cache.name": operation.name, "app.cache.hit": operation.hit}
        case ExternalCall():
            name, attributes = f"call {operation.system}", {"peer.service": operation.system}
        case AICall():
            name, attributes = f"chat {operation.model}", _ai_call(operation)
        case JobAttempt():
            name, attributes = f"process {operation.name}", _job(operation)
        case InboxAttempt():
            name, attributes = f"process webhook {operation.provider}", _inbox(operation)
    return Description(name, attributes, _failure(operation))


def _failure(operation: Operation) -> str | None:
    if isinstance(operation, HttpRequest) and operation.error is None and operation.status >= SERVER_ERROR:
        return str(operation.status)
    return _type_of(operation.error)


def _type_of(error: BaseException | None) -> str | None:
    if error is None:
        return None
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _request(operation: HttpRequest) -> tuple[str, Attributes]:
    method = operation.method if operation.method in KNOWN_METHODS else "_OTHER"
    verb = "HTTP" if method == "_OTHER" else method
    attributes: Attributes = {
        "http.request.method": method,
        "http.response.status_code": operation.status,
        "app.request_id": operation.request_id,
    }
    if operation.route is not None:
        attributes["http.route"] = operation.route
    if operation.user_id is not None:
        attributes["user.id"] = operation.user_id
    return f"{verb} {operation.route or ''}".strip(), attributes


def _query(operation: DatabaseQuery, database: str) -> tuple[str, Attributes]:
    statement = describe(operation.statement)
    return statement.summary, {
        "db.system.name": database,
        "db.operation.name": statement.operation,
        "db.query.summary": statement.summary,
        "db.query.text": statement.text,
    }


def _connection(operation: RealtimeConnection) -> tuple[str, Attributes]:
    attributes: Attributes = {
        "http.request.method": "GET",
        "http.response.status_code": SWITCHING_PROTOCOLS if operation.accepted else FORBIDDEN,
        "network.protocol.name": "websocket",
        "app.request_id": operation.request_id,
    }
    if operation.route is not None:
        attributes["http.route"] = operation.route
    if operation.user_id is not None:
        attributes["user.id"] = operation.user_id
    return f"WEBSOCKET {operation.route or ''}".strip(), attributes


def _ai_call(operation: AICall) -> Attributes:
    attributes: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": operation.provider,
        "gen_ai.request.model": operation.model,
        "app.gen_ai.streamed": operation.streamed,
    }
    if operation.input_tokens is not None:
        attributes["gen_ai.usage.input_tokens"] = operation.input_tokens
    if operation.output_tokens is not None:
        attributes["gen_ai.usage.output_tokens"] = operation.output_tokens
    if operation.cost is not None:
        attributes["app.gen_ai.cost_usd"] = operation.cost
    return attributes


def _job(operation: JobAttempt) -> Attributes:
    attributes: Attributes = {
        "messaging.system": "queue",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": operation.name,
        "messaging.message.id": operation.job_id,
        "app.job.attempt": operation.attempt,
        "app.job.is_last": operation.is_last,
    }
    if operation.request_id is not None:
        attributes["app.request_id"] = operation.request_id
    return attributes


def _inbox(operation: InboxAttempt) -> Attributes:
    return {
        "messaging.system": "inbox",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": operation.provider,
        "app.inbox.handler": operation.handler,
        "app.inbox.attempt": operation.attempt,
    }
