"""Attempts and timeout of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

DEFAULT_TIMEOUT: Final = timedelta(minutes=5)
"""The timeout of one attempt. Without a timeout, a few hanging jobs would block all others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions:
    """The maximum number of attempts (`None`: the queue's default) and the timeout of one attempt."""

    attempts: int | None = None
    timeout: timedelta = DEFAULT_TIMEOUT


_DEFAULTS: Final = JobOptions()


def job_options[F: Callable[..., object]](
    *, attempts: int | None = None, timeout: timedelta = DEFAULT_TIMEOUT
) -> Callable[[F], F]:
    """Decorate a job with its options: `@job_options(attempts=3, timeout=timedelta(hours=1))`."""

    def decorate(function: F) -> F:
        vars(function)["job_options"] = JobOptions(attempts=attempts, timeout=timeout)
        return function

    return decorate


def options_of(function: Callable[..., object]) -> JobOptions:
    """Return the options of a job."""
    return cast("JobOptions", getattr(function, "job_options", _DEFAULTS))
