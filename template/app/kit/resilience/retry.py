"""Retries with exponential backoff and jitter."""

import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import wraps
from typing import Any

import stamina
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from app.kit.backoff import backoff
from app.kit.resilience.errors import ErrorFilter, matcher
from app.kit.resilience.retry_after import retry_after_of

logger = structlog.stdlib.get_logger(__name__)


def _log(details: RetryDetails) -> None:
    logger.warning(
        "call_retried", error=type(details.caused_by).__name__, attempt=details.retry_num, pause=details.wait_for
    )


# The library's own hook logs the error's message, which may quote addresses, keys and whatever else was sent.
set_on_retry_hooks([_log])


class Retry:
    """Repeated attempts of a call that is safe to repeat.

    As a decorator of an async function, or around a block:

        @Retry(ConnectionError)
        async def fetch_rates() -> Rates: ...

        async for attempt in Retry(ConnectionError):
            with attempt:
                rates = await fetch_rates()

    The delay before an attempt doubles each time, and a random part of up to a third is subtracted, so that calls that
    failed together are not repeated together. A delay that the system requested replaces it; a random part of up to a
    tenth is added.

    Args:
        on: the errors after which another attempt may succeed. All others are raised at once, as is the last attempt's.
        retry_after: the delay that the system requested, read from the error. By default, the error's attribute
            `retry_after`. If it is longer than `max_backoff`, the call is not retried.
        attempts: the maximum number of attempts, the first included.
        initial_backoff: the maximum delay before the second attempt.
        max_backoff: the maximum delay between two attempts.
    """

    def __init__(
        self,
        on: ErrorFilter,
        *,
        retry_after: Callable[[Exception], timedelta | None] = retry_after_of,
        attempts: int = 3,
        initial_backoff: timedelta = timedelta(seconds=0.2),
        max_backoff: timedelta = timedelta(seconds=5),
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; it must be at least 1.")
        self._on = matcher(on)
        self._retry_after = retry_after
        self._attempts = attempts
        self._initial_backoff = initial_backoff
        self._max_backoff = max_backoff

    def __call__[**P, T](self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Decorate an async function."""

        @wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(lambda: function(*args, **kwargs))

        return retried

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]:
        """Return the attempts of one block. The first that doesn't raise ends the loop."""
        return self._context(_always).__aiter__()

    async def call[T](
        self, attempt: Callable[[], Awaitable[T]], *, repeatable: Callable[[Exception], bool] | None = None
    ) -> T:
        """Return the result of `attempt()`.

        Args:
            attempt: makes one complete request.
            repeatable: whether it is safe to repeat the request after this error. By default, always.

        Raises:
            Exception: the error of the last attempt.
        """
        async for trial in self._context(repeatable or _always):
            with trial:
                return await attempt()
        raise AssertionError("The last attempt raises.")

    def _context(self, is_repeatable: Callable[[Exception], bool]) -> AsyncIterable[stamina.Attempt]:
        failures = 0

        def delay_after(error: Exception) -> bool | timedelta:
            nonlocal failures
            failures += 1
            if not (self._on(error) and is_repeatable(error)):
                return False
            requested = self._retry_after(error)
            if requested is None:
                return backoff(failures, first=self._initial_backoff, longest=self._max_backoff)
            return requested <= self._max_backoff and requested * random.uniform(1, 1.1)  # noqa: S311 - spreads load

        return stamina.retry_context(delay_after, attempts=self._attempts, timeout=None)


def _always(_error: Exception) -> bool:
    return True
