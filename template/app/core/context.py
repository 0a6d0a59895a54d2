"""The context of the current request, available in handlers, dependencies and log lines."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.types import Scope, Send

SCOPE_KEY = "app.request_context"
TRACEPARENT_LENGTH = 55
"""Length of a `traceparent` header of version 00."""


class MatchedRoute(Protocol):
    """The route that a request was dispatched to."""

    @property
    def template(self) -> str:
        """The path with the names of its parameters, such as `/api/v1/app/projects/{id}`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """The user who performs a request, for the audit trail.

    Attributes:
        id: the user who acts. Differs from the current user while an administrator impersonates that user.
        client: the pseudonym of the network address.
    """

    id: UUID
    client: str


class RequestContext:
    """The context of one request. The object is shared: the access log sees values that a dependency sets."""

    __slots__ = (
        "actor",
        "error",
        "headers",
        "identity",
        "impersonator_id",
        "queries",
        "rate_limit_headers",
        "request_id",
        "responded_at",
        "route",
        "server_send",
        "started_at",
        "status",
        "user_id",
    )

    def __init__(self, request_id: str, started_at: float = 0.0, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.request_id = request_id
        self.started_at = started_at
        self.headers = headers
        """The headers of the request."""
        self.queries = Queries()
        self.responded_at: float | None = None
        """The start of the response, by `time.perf_counter()`."""
        self.status: int | None = None
        """The status of the response, once it has started."""
        self.error: BaseException | None = None
        """The unexpected exception that the request failed with."""
        self.server_send: Send | None = None
        """The server's own `send`, which the middleware wraps. For connections that send many messages."""
        self.route: MatchedRoute | None = None
        """The route that handles the request."""
        self.user_id: str | None = None
        self.actor: Actor | None = None
        """Set when the caller is known."""
        self.impersonator_id: str | None = None
        """The administrator who acts as the current user, if one does."""
        self.identity: str | None = None
        """The owner of the rate limits, once the caller is known."""
        self.rate_limit_headers: list[tuple[bytes, bytes]] | None = None
        """Set when a rate limit has counted the request."""

    @property
    def user_agent(self) -> str | None:
        """The header `User-Agent`."""
        return next((value.decode("latin-1") for name, value in self.headers if name == b"user-agent"), None)


class Queries:
    """The SQL statements of a request or a job.

    Attributes:
        seconds: their time together.
    """

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def facts(self) -> dict[str, float]:
        """Return the fields of a log line."""
        return {"queries": self.count, "query_ms": round(1000 * self.seconds, 2)}


current_queries: ContextVar[Queries | None] = ContextVar("current_queries", default=None)
current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceIds:
    """The identifiers of the current operation in its distributed trace (W3C trace context).

    Attributes:
        trace_id: 32 lower-case hexadecimal digits.
        span_id: 16 lower-case hexadecimal digits.
        sampled: whether the trace is recorded.
    """

    trace_id: str
    span_id: str
    sampled: bool


current_trace: ContextVar[TraceIds | None] = ContextVar("current_trace", default=None)
"""Set by a telemetry listener that traces requests, jobs and inbox attempts. Without one, it is always `None`."""


def traceparent() -> str | None:
    """Return the `traceparent` header of the current operation (W3C trace context), or `None` if nothing is traced."""
    trace = current_trace.get()
    if trace is None:
        return None
    return f"00-{trace.trace_id}-{trace.span_id}-{'01' if trace.sampled else '00'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The origin of a change, for the audit trail. The fields are `None` outside of a request.

    Attributes:
        client: the pseudonym of the network address.
        impersonated_id: the user as whom an administrator acts.
    """

    request_id: str | None = None
    client: str | None = None
    user_agent: str | None = None
    impersonated_id: UUID | None = None


def current_origin() -> Origin:
    """Return the origin of the changes that are being made. Only for records: callers are passed as arguments."""
    context = current_request.get()
    if context is None:
        return Origin()
    impersonated = context.user_id if context.impersonator_id is not None else None
    return Origin(
        request_id=context.request_id or None,
        client=(context.actor.client or None) if context.actor is not None else None,
        user_agent=context.user_agent or None,
        impersonated_id=UUID(impersonated) if impersonated is not None else None,
    )


def observed_request() -> RequestContext | None:
    """Return the context of the current request, for telemetry listeners. Other code gets it as an argument."""
    return current_request.get()


def current_request_id() -> str | None:
    """Return the id of the current request, or `None` outside of one."""
    context = current_request.get()
    return context.request_id if context else None


def context_of(request: HTTPConnection | Scope) -> RequestContext:
    """Return the context of a request. Without the middleware, it is a new one without an id."""
    scope = request.scope if isinstance(request, HTTPConnection) else request
    context = scope.get(SCOPE_KEY)
    if not isinstance(context, RequestContext):
        context = scope[SCOPE_KEY] = RequestContext(request_id="")
    return context


def bind_user(request: HTTPConnection | Scope, user_id: object, actor: Actor | None = None) -> None:
    """Store who is calling, for the log and the audit trail. Guards call this.

    Args:
        user_id: the current user.
        actor: the user who acts as the current user.
    """
    context = context_of(request)
    context.user_id = str(user_id)
    context.actor = actor
    if actor is not None and str(actor.id) != context.user_id:
        context.impersonator_id = str(actor.id)
