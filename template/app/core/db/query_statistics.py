"""The number and the time of the statements of each request and job, and a log of slow statements."""

from time import monotonic, perf_counter
from typing import Any, Final

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import ExecutionContext

from app.core.context import current_queries, current_request
from app.core.observability.statements import describe

logger = structlog.stdlib.get_logger(__name__)

MAX_STATEMENT: Final = 1000
MAX_LINES: Final = 20
"""Lines about slow statements in each minute. The others are counted."""
WINDOW: Final = 60.0

_STARTED: Final = "statement_started_at"


def count_statements(engine: Engine, *, slow_seconds: float) -> None:
    """Count the engine's statements for the request or the job that sends them, and log slow ones.

    Args:
        slow_seconds: from how many on a statement is slow; 0 logs none.
    """
    slow = _SlowStatements()

    def before(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's signature
        context = arguments[4]
        if context is not None:
            vars(context)[_STARTED] = perf_counter()

    def after(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's signature
        context: ExecutionContext | None = arguments[4]
        started = None if context is None else vars(context).pop(_STARTED, None)
        if started is None:
            return
        seconds = perf_counter() - started
        queries = current_queries.get()
        if queries is not None:
            queries.count += 1
            queries.seconds += seconds
        if slow_seconds and seconds >= slow_seconds:
            slow.log(arguments[2], seconds)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)


class _SlowStatements:
    """A log of slow statements that a bad minute does not flood."""

    def __init__(self) -> None:
        self._window_ends = 0.0
        self._lines = 0
        self._suppressed = 0

    def log(self, statement: str, seconds: float) -> None:
        """Log a statement. Parameters are placeholders already; other values are removed."""
        now = monotonic()
        if now >= self._window_ends:
            self._window_ends, self._lines = now + WINDOW, 0
        if self._lines >= MAX_LINES:
            self._suppressed += 1
            return
        self._lines += 1
        facts: dict[str, object] = {"suppressed": self._suppressed} if self._suppressed else {}
        self._suppressed = 0
        request = current_request.get()
        if request is not None and request.route is not None:
            facts["route"] = request.route.template
        logger.warning(
            "slow_query",
            query=describe(statement).text[:MAX_STATEMENT],
            duration_ms=round(1000 * seconds, 2),
            **facts,
        )
