"""Calls to a provider: repeated where no second mail can come of it, and told apart by what the caller can do."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, auto

import structlog

from app.email.port import EmailRejectedError, EmailResult, EmailUnavailableError
from app.kit.resilience import Resilient, UnavailableError

logger = structlog.stdlib.get_logger(__name__)


class Failure(Enum):
    """What went wrong in one attempt."""

    DOWN = auto()
    """The provider is in trouble and has taken nothing: tried again at once."""
    UNKNOWN = auto()
    """The provider is in trouble and may have taken the mail."""
    LATER = auto()
    """Nothing was taken, and that changes only in a while or when somebody acts: a quota, a wrong key."""
    FINAL = auto()
    """This mail will never be taken."""


class ProviderError(Exception):
    """Raised by an attempt.

    Args:
        reason: for the log; a status or the name of an error, never what somebody has written.
        retry_after: when the provider wants to be asked again, if it has said so.
    """

    def __init__(self, failure: Failure, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{failure.name}: {reason}")
        self.failure = failure
        self.reason = reason
        self.retry_after = retry_after


class Calls:
    """All calls to one provider, for as long as the process lives.

    Args:
        name: of the provider.
        repeats_unknown: whether an attempt with an unknown outcome may be repeated, since the provider recognises it.
        timeout: of each attempt.
    """

    def __init__(self, name: str, *, repeats_unknown: bool, timeout: timedelta = timedelta(seconds=15)) -> None:
        self.name = name
        self._repeats_unknown = repeats_unknown
        self._resilient = Resilient(name, transient=_is_trouble, pause=_named_pause, timeout=timeout)

    async def call[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What the attempt gives.

        Raises:
            EmailRejectedError: the provider refuses the mail for good.
            EmailUnavailableError: anything else.
        """
        try:
            return await self._resilient.call(attempt, repeatable=self._is_harmless)
        except ProviderError as error:
            self._log(error.failure, error.reason)
            if error.failure is Failure.FINAL:
                raise EmailRejectedError from error
            raise EmailUnavailableError(retry_after=error.retry_after) from error
        except TimeoutError as error:
            self._log(Failure.UNKNOWN, "TimeoutError")
            raise EmailUnavailableError from error
        except UnavailableError as error:
            self._log(Failure.DOWN, "the circuit is open")
            raise EmailUnavailableError from error

    async def results(
        self, to: tuple[str, ...], attempt: Callable[[], Awaitable[list[EmailResult]]]
    ) -> list[EmailResult]:
        """What the attempt gives, or the same error for all addresses."""
        try:
            return await self.call(attempt)
        except (EmailRejectedError, EmailUnavailableError) as error:
            return [EmailResult(to=address, provider=self.name, error=error) for address in to]

    def _log(self, failure: Failure, reason: str) -> None:
        logger.warning("email_failed", provider=self.name, failure=failure.name.lower(), reason=reason)

    def _is_harmless(self, error: Exception) -> bool:
        return self._repeats_unknown or (isinstance(error, ProviderError) and error.failure is Failure.DOWN)


def _is_trouble(error: Exception) -> bool:
    return isinstance(error, ProviderError) and error.failure in {Failure.DOWN, Failure.UNKNOWN}


def _named_pause(error: Exception) -> timedelta | None:
    return error.retry_after if isinstance(error, ProviderError) else None
