"""The telemetry listener that makes spans."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from app.core.context import TraceIds, current_trace
from app.core.ports.operations import (
    AICall,
    ExternalCall,
    HttpRequest,
    InboxAttempt,
    JobAttempt,
    Operation,
    RealtimeConnection,
)
from app.core.ports.telemetry import TelemetryListener
from app.tracing.sampling import Sampler
from app.tracing.spans import KINDS, Description, describe_operation
from app.tracing.trace_context import parse_traceparent, span_context

NANOSECONDS: Final = 1_000_000_000
_PENDING: Final = "started"
"""The name of a span until its operation has finished: only then is the route known."""
_CHILD_OPERATIONS: Final = KINDS.keys() - {HttpRequest, RealtimeConnection, JobAttempt, InboxAttempt}
"""Operations that never begin a trace: they are recorded within one only."""
MAX_DEPTH: Final = 50
"""The maximum number of operations within each other. Deeper ones become spans, but not parents: streams that were
abandoned are never left, so that a connection that lives for days would keep more and more of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scope(TraceIds):
    """The current trace during an operation that others may be a part of.

    Attributes:
        span: the operation's span. `None` if the trace is not recorded.
        previous: the current trace before the operation.
        depth: the number of scopes below this one.
    """

    operation: Operation
    span: Span | None
    previous: TraceIds | None
    depth: int


class TracingListener(TelemetryListener):
    """A listener that makes a span of each operation of a recorded trace.

    In a trace that is not recorded, operations that begin a trace only get new ids.

    An operation that others may be a part of becomes the current trace (`app.core.context.current_trace`) until it
    finishes. Requests, connections, jobs and inbox attempts begin a trace; jobs and inbox attempts link to the trace
    that caused them, so that a trace ends with its request.

    Args:
        database: returns the name of the database system, such as `postgresql`.
    """

    def __init__(self, tracer: Tracer, sampler: Sampler, database: Callable[[], str]) -> None:
        self._tracer = tracer
        self._sampler = sampler
        self._database = database

    def started(self, operation: Operation) -> None:
        """See `TelemetryListener.started`."""
        match operation:
            case HttpRequest():
                parent = parse_traceparent(operation.traceparent)
                self._start_trace(operation, parent, sampled=self._sampler.samples_request(parent))
            case RealtimeConnection():
                self._start_trace(operation, None, sampled=self._sampler.samples_request(None))
            case JobAttempt():
                self._start_work(operation, operation.traceparent)
            case InboxAttempt():
                self._start_work(operation, operation.traceparent)
            case AICall(streamed=False) | ExternalCall():
                self._start_child(operation)
            case _:
                return

    def finished(self, operation: Operation) -> None:
        """See `TelemetryListener.finished`."""
        current = current_trace.get()
        scope = _find_scope(current, operation)
        if scope is not None:
            current_trace.set(scope.previous)
            if scope.span is not None:
                self._end(scope.span, operation)
        elif current is not None and type(operation) in _CHILD_OPERATIONS and _is_recorded(current):
            self._record(operation, current)

    def _start_work(self, operation: JobAttempt | InboxAttempt, traceparent: str | None) -> None:
        """Begin a job or an inbox attempt. An inbox attempt within a recorded job is a part of the job's trace."""
        origin = parse_traceparent(traceparent)
        links = [Link(span_context(origin, is_remote=True))] if origin is not None else []
        current = current_trace.get()
        if current is not None and isinstance(operation, InboxAttempt):
            self._open_scope(operation, current, sampled=current.sampled, links=links)
        else:
            self._open_scope(operation, None, sampled=self._sampler.samples_work(origin), links=links)

    def _start_trace(self, operation: Operation, parent: TraceIds | None, *, sampled: bool) -> None:
        self._open_scope(operation, parent, sampled=sampled, links=())

    def _start_child(self, operation: Operation) -> None:
        """Make the operation the current one. Beyond `MAX_DEPTH`, it only becomes a span at its end."""
        current = current_trace.get()
        if current is not None and _is_recorded(current) and _depth_of(current) < MAX_DEPTH:
            self._open_scope(operation, current, sampled=True, links=())

    def _open_scope(
        self, operation: Operation, parent: TraceIds | None, *, sampled: bool, links: Sequence[Link]
    ) -> None:
        span: Span | None = None
        if sampled:
            context = Context() if parent is None else _context_of(parent)
            start = time.time_ns()
            span = self._tracer.start_span(_PENDING, context, KINDS[type(operation)], links=links, start_time=start)
            made = span.get_span_context()
            trace_id, span_id = f"{made.trace_id:032x}", f"{made.span_id:016x}"
        else:
            trace_id = _new_id(128) if parent is None else parent.trace_id
            span_id = _new_id(64)
        previous = current_trace.get()
        current_trace.set(
            _Scope(
                trace_id=trace_id,
                span_id=span_id,
                sampled=sampled,
                operation=operation,
                span=span,
                previous=previous,
                depth=_depth_of(previous) + 1,
            )
        )

    def _end(self, span: Span, operation: Operation) -> None:
        description = describe_operation(operation, "")
        span.update_name(description.name)
        _complete(span, description)
        span.end()

    def _record(self, operation: Operation, parent: TraceIds) -> None:
        """Make the span of an operation that no other is a part of, after its end."""
        description = describe_operation(operation, self._database())
        end = time.time_ns()
        start = end - int(operation.duration * NANOSECONDS)
        span = self._tracer.start_span(description.name, _context_of(parent), KINDS[type(operation)], start_time=start)
        _complete(span, description)
        span.end(end)


def _find_scope(current: TraceIds | None, operation: Operation) -> _Scope | None:
    """Return the operation's own scope. A stream that was abandoned may have left another one above it."""
    while isinstance(current, _Scope):
        if current.operation is operation:
            return current
        current = current.previous
    return None


def _depth_of(current: TraceIds | None) -> int:
    return current.depth if isinstance(current, _Scope) else 0


def _is_recorded(current: TraceIds) -> bool:
    # A task may outlive its request. The trace has ended then, so the task is not recorded.
    return current.sampled and (not isinstance(current, _Scope) or current.span is None or current.span.is_recording())


def _context_of(parent: TraceIds) -> Context:
    if isinstance(parent, _Scope) and parent.span is not None:
        return set_span_in_context(parent.span, Context())
    return set_span_in_context(NonRecordingSpan(span_context(parent, is_remote=True)), Context())


def _complete(span: Span, description: Description) -> None:
    span.set_attributes(description.attributes)
    if description.failed is not None:
        span.set_attribute("error.type", description.failed)
        span.set_status(Status(StatusCode.ERROR))


def _new_id(bits: int) -> str:
    # Zero is not a valid id.
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"
