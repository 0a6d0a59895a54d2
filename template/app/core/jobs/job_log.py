"""The log line of an attempt at a job that succeeded, with its time and its SQL statements."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app.core.context import Queries, current_queries

logger = structlog.stdlib.get_logger("app.job")


@contextmanager
def logged_attempt(attempt: int) -> Iterator[None]:
    """Count the statements of an attempt, and log one line if it succeeds. Failures have lines of their own."""
    started, queries = time.perf_counter(), Queries()
    token = current_queries.set(queries)
    try:
        yield
    finally:
        current_queries.reset(token)
    duration = round(1000 * (time.perf_counter() - started), 2)
    logger.info("job", attempt=attempt, duration_ms=duration, **queries.facts())
