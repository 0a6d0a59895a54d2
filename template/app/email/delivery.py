"""Calls to a provider: retried where a retry cannot send a second email, with failures mapped to the port's errors."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import Enum, auto

import structlog

from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.port import EmailResult
from app.kit.resilience.errors import UnavailableError
from app.kit.resilience.resilient import Resilient

logger = structlog.stdlib.get_logger(__name__)


class Failure(Enum):
    """The kind of a failure."""

    TRANSIENT = auto()
    """The provider did not accept the email, but may do so at once: retry immediately."""
    UNKNOWN = auto()
    """The provider failed and may have accepted the email: retry only if the provider detects duplicates."""
    DEFERRED = auto()
    """The provider did not accept the email and will not soon: an exhausted quota, wrong credentials."""
    PERMANENT = auto()
    """The provider will never accept this email."""


class ProviderError(Exception):
    """A failed attempt.

    Args:
        reason: for the log: a status code or the name of an error class, never content of the email.
        retry_after: the pause that the provider asks for, if any.
    """

    def __init__(self, failure: Failure, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{failure.name}: {reason}")
        self.failure = failure
        self.reason = reason
        self.retry_after = retry_after


class Delivery:
    """All calls to one provider during the lifetime of the process.

    Args:
        name: the provider's name.
        detects_duplicates: whether the provider recognises a repeated attempt, so that an attempt with an unknown
            outcome can be retried.
        timeout: of each attempt.
    """

    def __init__(self, name: str, *, detects_duplicates: bool, timeout: timedelta = timedelta(seconds=15)) -> None:
        self.name = name
        self._detects_duplicates = detects_duplicates
        self._resilient = Resilient(name, transient=_is_provider_failure, timeout=timeout)

    async def call[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the attempt, after retries if necessary.

        Raises:
            EmailRejectedError: the provider rejects the email permanently.
            EmailUnavailableError: any other failure.
        """
        try:
            return await self._resilient.call(attempt, repeatable=self._can_retry)
        except ProviderError as error:
            self.log(error.failure, error.reason)
            if error.failure is Failure.PERMANENT:
                raise EmailRejectedError from error
            raise EmailUnavailableError(retry_after=error.retry_after) from error
        except TimeoutError as error:
            self.log(Failure.UNKNOWN, "TimeoutError")
            raise EmailUnavailableError from error
        except UnavailableError as error:
            self.log(Failure.TRANSIENT, "circuit open")
            raise EmailUnavailableError from error

    async def results(
        self, to: Sequence[str], attempt: Callable[[], Awaitable[list[EmailResult]]]
    ) -> list[EmailResult]:
        """Return the results of the attempt, or its error as the result of every address."""
        try:
            return await self.call(attempt)
        except (EmailRejectedError, EmailUnavailableError) as error:
            return [EmailResult(to=address, provider=self.name, error=error) for address in to]

    def log(self, failure: Failure, reason: str, *, count: int = 1) -> None:
        """Log a failure. No address and no content is logged."""
        logger.warning("email_failed", provider=self.name, failure=failure.name.lower(), reason=reason, count=count)

    def _can_retry(self, error: Exception) -> bool:
        not_accepted = isinstance(error, ProviderError) and error.failure is Failure.TRANSIENT
        return self._detects_duplicates or not_accepted


def _is_provider_failure(error: Exception) -> bool:
    return isinstance(error, ProviderError) and error.failure in {Failure.TRANSIENT, Failure.UNKNOWN}
