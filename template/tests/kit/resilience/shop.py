"""A system with all helpers, with limits for tests."""

from collections.abc import Callable
from datetime import timedelta

from app.kit.resilience.resilient import Resilient
from tests.kit.resilience.systems import SOON


def connection_errors(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


def resilient(
    *,
    transient: Callable[[Exception], bool] = connection_errors,
    attempts: int = 3,
    threshold: int = 100,
    recovery: timedelta = timedelta(hours=1),
    timeout: timedelta = timedelta(seconds=10),
    retry_after: Callable[[Exception], timedelta | None] = lambda _error: None,
) -> Resilient:
    return Resilient(
        "shop",
        transient=transient,
        retry_after=retry_after,
        timeout=timeout,
        attempts=attempts,
        threshold=threshold,
        recovery=recovery,
        initial_backoff=SOON,
        max_backoff=SOON,
    )
