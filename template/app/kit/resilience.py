"""Calls to other systems, with a timeout, retries with backoff, and a circuit breaker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import stamina
import structlog
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from app.kit.external_calls import reported_call

logger = structlog.stdlib.get_logger(__name__)

MAX_RETRY_AFTER: Final = timedelta(days=1)


def _log(details: RetryDetails) -> None:
    logger.warning(
        "call_retried", error=type(details.caused_by).__name__, attempt=details.retry_num, pause=details.wait_for
    )


# The library's own hook logs the error's message, which may quote addresses, keys and whatever else was sent.
set_on_retry_hooks([_log])


def named_pause(value: str | None) -> timedelta | None:
    """Parse the header `Retry-After`: seconds or a date (RFC 9110 §10.2.3). Capped at a day; `None` if invalid."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), MAX_RETRY_AFTER.total_seconds()))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    left = at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)
    return min(max(left, timedelta()), MAX_RETRY_AFTER)


class UnavailableError(Exception):
    """The circuit is open after repeated failures. Nothing was sent.

    Attributes:
        name: the system's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has failed repeatedly. No call is made until its circuit closes again.")
        self.name = name


class Resilient:
    """All calls to one other system. Keep one instance per system for the lifetime of the process.

    After `threshold` consecutive transient failures the circuit opens: for the duration of `recovery`, every call fails
    at once. Then calls go through again, and the first outcome closes or reopens the circuit.

    Args:
        name: the system's name, for logs, errors and telemetry.
        transient: whether an error is temporary, such as a refused connection or a 503. `TimeoutError` always is. Only
            transient errors are retried, and only they open the circuit.
        pause: the delay that the system itself asked for, read from the error. It replaces the backoff, unless it is
            longer than `longest_pause`: then the call is not retried.
        timeout: of each attempt.
        attempts: the maximum number of attempts, the first included.
        first_pause: the maximum delay before the second attempt. It doubles with each attempt, and is randomised.
        longest_pause: the maximum delay between two attempts.
    """

    def __init__(
        self,
        name: str,
        *,
        transient: Callable[[Exception], bool],
        pause: Callable[[Exception], timedelta | None] = lambda _error: None,
        timeout: timedelta = timedelta(seconds=10),
        attempts: int = 3,
        threshold: int = 5,
        recovery: timedelta = timedelta(seconds=30),
        first_pause: timedelta = timedelta(seconds=0.2),
        longest_pause: timedelta = timedelta(seconds=5),
    ) -> None:
        self.name = name
        self._transient = transient
        self._pause = pause
        self._longest_pause = longest_pause
        self._timeout = timeout
        self._retry = stamina.AsyncRetryingCaller(
            attempts=attempts,
            timeout=None,
            wait_initial=first_pause / 2,
            wait_jitter=first_pause / 2,
            wait_max=longest_pause,
        )
        self._circuits = AsyncCircuitBreakerFactory(
            default_threshold=threshold,
            default_ttl=recovery.total_seconds(),
            exclude=[(Exception, lambda error: not self._is_transient(error))],
        )

    async def call[T](
        self, attempt: Callable[[], Awaitable[T]], *, repeatable: bool | Callable[[Exception], bool] = True
    ) -> T:
        """Call `attempt()`, with retries.

        Args:
            attempt: makes one complete request.
            repeatable: whether it is safe to repeat a request whose response was lost. A function decides by the error:
                for example, a connection that was never established is safe to repeat.

        Raises:
            UnavailableError: the circuit is open.
            TimeoutError: the last attempt timed out.
            Exception: the error of the last attempt.
        """
        if repeatable is False:
            return await self._once(attempt)
        is_repeatable = repeatable if callable(repeatable) else _always

        def decide(error: Exception) -> bool | timedelta:
            if not (self._is_transient(error) and is_repeatable(error)):
                return False
            requested = self._pause(error)
            return requested is None or (requested <= self._longest_pause and requested)

        return await self._retry(decide, self._once, attempt)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Count the block's outcome for the circuit, without timeout and retries. For streams.

        Raises:
            UnavailableError: the circuit is open.
        """
        with reported_call(self.name):
            async with self._circuit():
                yield

    @asynccontextmanager
    async def _circuit(self) -> AsyncIterator[None]:
        circuit = await self._circuits.get_breaker(self.name)
        try:
            await circuit.__aenter__()
        except OpenedState as state:
            # The library raises the same object each time: its traceback would grow while the circuit is open.
            state.__traceback__ = state.__context__ = None
            raise UnavailableError(self.name) from None
        try:
            yield
        except Exception as error:
            await circuit.__aexit__(type(error), error, error.__traceback__)
            raise
        # A cancelled call says nothing about the system: it counts neither way.
        await circuit.__aexit__(None, None, None)

    async def _once[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        async with self.guard(), asyncio.timeout(self._timeout.total_seconds()):
            return await attempt()

    def _is_transient(self, error: Exception) -> bool:
        if isinstance(error, UnavailableError):
            return False
        return isinstance(error, TimeoutError) or self._transient(error)


def _always(_error: Exception) -> bool:
    return True
