"""Calls to other systems: each with an end, tried again where that may help, and spared while the system is down."""

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

logger = structlog.stdlib.get_logger(__name__)

LONGEST_NAMED: Final = timedelta(days=1)


def _log(details: RetryDetails) -> None:
    logger.warning(
        "call_retried", error=type(details.caused_by).__name__, attempt=details.retry_num, pause=details.wait_for
    )


# The library's own hook logs the error's text, which quotes addresses, keys, and whatever else was sent.
set_on_retry_hooks([_log])


def named_pause(value: str | None) -> timedelta | None:
    """What the header `Retry-After` of an answer says, in seconds or as a date (RFC 9110 §10.2.3); at most a day."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), LONGEST_NAMED.total_seconds()))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    left = at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)
    return min(max(left, timedelta()), LONGEST_NAMED)


class UnavailableError(Exception):
    """The system has failed too often of late and is left alone; nothing was sent.

    Attributes:
        name: of the system.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has failed too often of late; it is left alone for a while.")
        self.name = name


class Resilient:
    """What stands between the application and one other system. Keep one a system, for as long as the process lives.

    After `threshold` passing failures in a row the circuit opens: for the time of `recovery` every call fails at once,
    then calls go through again, and the first outcome closes the circuit or opens it anew.

    Args:
        name: of the system, for the log and the error.
        transient: whether an error tells that the system is in trouble and may be well again soon, such as a refused
            connection or an answer of 503. `TimeoutError` always does. Only those are tried again, and only those open
            the circuit: a system that refuses a request works.
        pause: what the system itself has said about the next try, as it stands in an error. It is waited for instead of
            the pause below if it is not longer than the longest one; else there is no other try.
        timeout: of each attempt.
        attempts: how often a call is tried at most.
        first_pause: the longest pause before the second attempt; it doubles from there, and is drawn at random.
        longest_pause: the end of the doubling.
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
        self._again = stamina.AsyncRetryingCaller(
            attempts=attempts,
            timeout=None,
            wait_initial=first_pause / 2,
            wait_jitter=first_pause / 2,
            wait_max=longest_pause,
        )
        self._circuits = AsyncCircuitBreakerFactory(
            default_threshold=threshold,
            default_ttl=recovery.total_seconds(),
            exclude=[(Exception, lambda error: not self._passes(error))],
        )

    async def call[T](
        self, attempt: Callable[[], Awaitable[T]], *, repeatable: bool | Callable[[Exception], bool] = True
    ) -> T:
        """Calls `attempt()`, again where that may help.

        Args:
            attempt: one request, whole.
            repeatable: whether a second request does no harm where the first has worked and only its answer was lost;
                a function tells it from the error, such as one of a connection that never came about.

        Raises:
            UnavailableError: the circuit is open.
            TimeoutError: the last attempt took too long.
            Exception: what the last attempt raised.
        """
        if repeatable is False:
            return await self._once(attempt)
        harmless = repeatable if callable(repeatable) else _always

        def decide(error: Exception) -> bool | timedelta:
            if not (self._passes(error) and harmless(error)):
                return False
            named = self._pause(error)
            return named is None or (named <= self._longest_pause and named)

        return await self._again(decide, self._once, attempt)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """What happens in the block counts for the circuit: for streams, which have neither one end nor a second try.

        Raises:
            UnavailableError: the circuit is open.
        """
        circuit = await self._circuits.get_breaker(self.name)
        try:
            await circuit.__aenter__()
        except OpenedState as state:
            # Each call raises the same object: what it gathers would grow for as long as the circuit is open.
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

    def _passes(self, error: Exception) -> bool:
        if isinstance(error, UnavailableError):
            return False
        return isinstance(error, TimeoutError) or self._transient(error)


def _always(_error: Exception) -> bool:
    return True
