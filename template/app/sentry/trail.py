"""What happened during a request or a job: the breadcrumbs of an error, and the spans of a transaction."""

import secrets
import time
from collections import deque
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Any, Final

from app.core.ports.telemetry import AICall, CacheLookup, DatabaseQuery, ExternalCall, Operation

MAX_STEPS: Final = 100
"""The latest operations of a request that are kept."""
MAX_BREADCRUMBS: Final = 50
MAX_DESCRIPTION: Final = 500


class Trail:
    """The operations within a request, a job or a webhook event.

    Args:
        sampled: whether it becomes a transaction.
    """

    __slots__ = ("_offset", "sampled", "span_id", "steps", "token", "trace_id")

    def __init__(self, *, sampled: bool) -> None:
        self.sampled = sampled
        self.trace_id = secrets.token_hex(16)
        self.span_id = secrets.token_hex(8)
        self.steps: deque[Operation] = deque(maxlen=MAX_STEPS)
        self.token: Token[Trail | None] | None = None
        self._offset = time.time() - time.perf_counter()

    def at(self, counter: float) -> datetime:
        """Return the time of a value of `time.perf_counter()`."""
        return datetime.fromtimestamp(self._offset + counter, UTC)

    def breadcrumbs(self) -> list[dict[str, Any]]:
        """Return the latest operations as breadcrumbs, the oldest first."""
        return [self._breadcrumb(step) for step in list(self.steps)[-MAX_BREADCRUMBS:]]

    def spans(self) -> list[dict[str, Any]]:
        """Return the operations as spans of the transaction."""
        return [self._span(step) for step in self.steps]

    def _breadcrumb(self, step: Operation) -> dict[str, Any]:
        kind, text = describe(step)
        return {
            "type": "default",
            "category": kind,
            "message": text,
            "level": "error" if step.error is not None else "info",
            "timestamp": self.at(step.started_at).isoformat(),
            "data": {"duration_ms": round(1000 * step.duration, 2)},
        }

    def _span(self, step: Operation) -> dict[str, Any]:
        kind, text = describe(step)
        return {
            "trace_id": self.trace_id,
            "span_id": secrets.token_hex(8),
            "parent_span_id": self.span_id,
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
            # With placeholders instead of values.
            return "db", step.statement[:MAX_DESCRIPTION]
        case CacheLookup():
            return "cache.get", step.name
        case ExternalCall():
            return "http.client", step.system
        case AICall():
            return "gen_ai", f"{step.provider} {step.model}"
        case _:
            return step.kind, step.kind
