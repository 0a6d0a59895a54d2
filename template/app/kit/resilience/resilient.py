"""Calls to another system, with all helpers combined."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

from app.kit.resilience.bulkhead import Bulkhead
from app.kit.resilience.circuit_breaker import CircuitBreaker
from app.kit.resilience.errors import ErrorFilter, UnavailableError
from app.kit.resilience.fallback import Fallback
from app.kit.resilience.retry import Retry
from app.kit.resilience.retry_after import retry_after_of


class Resilient:
    """All calls to one other system. Keep one instance per system for the lifetime of the process.

    The helpers in their order, the outermost first: fallback, total timeout, retry, bulkhead, circuit breaker, timeout.
    A call holds no slot between two attempts. The circuit is checked after the call has a slot. An open circuit and a
    full bulkhead are not retried.

    Args:
        name: the system's name, for logs, errors and telemetry.
        transient: the errors that are temporary, such as a refused connection or a 503. `TimeoutError` always is. Only
            transient errors are retried, and only they open the circuit.
        retry_after: returns the delay that the system requested, read from the error. See `Retry`.
        timeout: the timeout of each attempt.
        total_timeout: the timeout of all attempts and the delays between them. Longer than `timeout`: an attempt that
            the total timeout ends doesn't count as a failure, so that a system that hangs would never open the circuit.
            By default, there is none.
        attempts: the maximum number of attempts, the first included.
        threshold: the number of consecutive failures that opens the circuit. See `CircuitBreaker`.
        recovery: the time that the circuit stays open.
        initial_backoff: the maximum delay before the second attempt. It doubles with each attempt, and is randomised.
        max_backoff: the maximum delay between two attempts.
        bulkhead: the limit of concurrent calls. By default, there is none.

    Raises:
        ValueError: the total timeout is not longer than the timeout of one attempt.
    """

    def __init__(
        self,
        name: str,
        *,
        transient: ErrorFilter,
        retry_after: Callable[[Exception], timedelta | None] = retry_after_of,
        timeout: timedelta = timedelta(seconds=10),
        total_timeout: timedelta | None = None,
        attempts: int = 3,
        threshold: int = 5,
        recovery: timedelta = timedelta(seconds=30),
        initial_backoff: timedelta = timedelta(seconds=0.2),
        max_backoff: timedelta = timedelta(seconds=5),
        bulkhead: Bulkhead | None = None,
    ) -> None:
        if total_timeout is not None and total_timeout <= timeout:
            raise ValueError(f"total_timeout is {total_timeout}; it must be longer than timeout, {timeout}.")
        self.name = name
        self._timeout = timeout.total_seconds()
        self._total_timeout = None if total_timeout is None else total_timeout.total_seconds()
        self._bulkhead = bulkhead
        self._circuit = CircuitBreaker(
            name, transient=transient, threshold=threshold, recovery=recovery, probe_timeout=timeout + recovery
        )
        self._retry = Retry(
            self._circuit.is_failure,
            retry_after=retry_after,
            attempts=attempts,
            initial_backoff=initial_backoff,
            max_backoff=max_backoff,
        )

    async def call[T](
        self, attempt: Callable[[], Awaitable[T]], *, repeatable: bool | Callable[[Exception], bool] = True
    ) -> T:
        """Call `attempt()`, with retries.

        Args:
            attempt: makes one complete request.
            repeatable: whether it is safe to repeat a request whose response was lost. A function decides by the error:
                for example, a request whose connection was never established is safe to repeat.

        Raises:
            UnavailableError: the circuit is open, or all slots are in use.
            TimeoutError: the last attempt timed out, or all of them together.
            Exception: the error of the last attempt.
        """
        async with asyncio.timeout(self._total_timeout):
            if repeatable is False:
                return await self._once(attempt)
            is_repeatable = repeatable if callable(repeatable) else None
            return await self._retry.call(lambda: self._once(attempt), repeatable=is_repeatable)

    def protect[**P, T](
        self, *, repeatable: bool | Callable[[Exception], bool] = True
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Decorate an async function that makes one complete request. See `call`."""

        def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
            @wraps(function)
            async def protected(*args: P.args, **kwargs: P.kwargs) -> T:
                return await self.call(lambda: function(*args, **kwargs), repeatable=repeatable)

            return protected

        return decorate

    def fallback[T](self, substitute: Callable[[Exception], T]) -> Fallback[T]:
        """Return a fallback for this system's transient errors and refused calls. Place it above `protect`."""
        return Fallback(substitute, on=lambda error: isinstance(error, UnavailableError) or self.is_transient(error))

    def is_transient(self, error: Exception) -> bool:
        """Return whether the error is temporary."""
        return self._circuit.is_failure(error)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Occupy a slot and count the block's outcome for the circuit, without timeout and retries. For streams.

        Raises:
            UnavailableError: the circuit is open, or all slots are in use.
        """
        if self._bulkhead is None:
            async with self._circuit.guard():
                yield
        else:
            async with self._bulkhead.slot(), self._circuit.guard():
                yield

    async def _once[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        async with self.guard(), asyncio.timeout(self._timeout):
            return await attempt()
