"""The steps of a request or a job: the breadcrumbs of an error, and the spans of a transaction."""

import secrets
import time
from collections import deque
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.core.context import TraceIds, current_trace
from app.core.observability.statements import describe as without_values
from app.core.ports.operations import AICall, CacheLookup, DatabaseQuery, ExternalCall, Operation

MAX_STEPS: Final = 100
"""The latest operations of a request that are kept."""
MAX_BREADCRUMBS: Final = 50
MAX_DESCRIPTION: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """A log line, without its fields.

    Attributes:
        started_at: from `time.perf_counter()`.
        event: empty for the loggers of libraries.
    """

    started_at: float
    level: str
    logger: str
    event: str


class Trail:
    """The latest steps within a request, a connection, a job or a webhook event.

    Args:
        operation: the request, connection, job or webhook event.
        sampled: whether it becomes a transaction.
        parent: the trail that it is a part of, such as the job's in which a webhook event is processed.

    Attributes:
        external: the ids of the distributed trace, where there is one.
    """

    __slots__ = ("_offset", "_own", "external", "operation", "parent", "sampled", "steps", "token")

    def __init__(self, operation: Operation, *, sampled: bool, parent: "Trail | None") -> None:
        self.operation = operation
        self.sampled = sampled
        self.parent = parent
        self.external: TraceIds | None = None
        self.steps: deque[Operation | LogLine] = deque(maxlen=MAX_STEPS)
        self._own: tuple[str, str] | None = None
        self.token: Token[Trail | None] | None = None
        self._offset = time.time() - time.perf_counter()

    def add(self, step: Operation | LogLine) -> None:
        """Note a step."""
        if self.external is None:
            self.follow_trace()
        self.steps.append(step)

    def follow_trace(self) -> None:
        """Take over the ids of the current distributed trace, if there is one."""
        # Not when the trail begins: the listener that sets them may be called after this one.
        self.external = self.external or current_trace.get()

    def ids(self) -> tuple[str, str]:
        """Return the trace id and the span id."""
        if self._own is None:
            trace_id = self.external.trace_id if self.external is not None else secrets.token_hex(16)
            self._own = (trace_id, secrets.token_hex(8))
        return self._own

    def at(self, counter: float) -> datetime:
        """Return the time of a value of `time.perf_counter()`."""
        return datetime.fromtimestamp(self._offset + counter, UTC)

    def breadcrumbs(self) -> list[dict[str, Any]]:
        """Return the latest operations as breadcrumbs, the oldest first."""
        return [self._breadcrumb(step) for step in list(self.steps)[-MAX_BREADCRUMBS:]]

    def spans(self) -> list[dict[str, Any]]:
        """Return the operations as spans of the transaction."""
        trace_id, parent = self.ids()
        return [self._span(step, trace_id, parent) for step in self.steps if isinstance(step, Operation)]

    def _breadcrumb(self, step: Operation | LogLine) -> dict[str, Any]:
        if isinstance(step, LogLine):
            return {
                "type": "default",
                "category": step.logger,
                "message": step.event,
                "level": step.level,
                "timestamp": self.at(step.started_at).isoformat(),
            }
        kind, text = describe(step)
        return {
            "type": "default",
            "category": kind,
            "message": text,
            "level": "error" if step.error is not None else "info",
            "timestamp": self.at(step.started_at).isoformat(),
            "data": {"duration_ms": round(1000 * step.duration, 2)},
        }

    def _span(self, step: Operation, trace_id: str, parent: str) -> dict[str, Any]:
        kind, text = describe(step)
        return {
            "trace_id": trace_id,
            "span_id": secrets.token_hex(8),
            "parent_span_id": parent,
            "op": kind,
            "description": text,
            "status": "ok" if step.error is None else "internal_error",
            "start_timestamp": self.at(step.started_at).isoformat(),
            "timestamp": self.at(step.started_at + step.duration).isoformat(),
        }


current_trail: ContextVar[Trail | None] = ContextVar("current_trail", default=None)


def describe(step: Operation) -> tuple[str, str]:
    """Return the kind of an operation in Sentry's words, and a text without data of users."""
    match step:
        case DatabaseQuery():
            return "db", without_values(step.statement).text[:MAX_DESCRIPTION]
        case CacheLookup():
            return "cache.get", step.name
        case ExternalCall():
            return "http.client", step.system
        case AICall():
            return "gen_ai", f"{step.provider} {step.model}"
        case _:
            return step.kind, step.kind
