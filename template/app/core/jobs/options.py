"""How a job is run, where the usual way does not suit it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

TIMEOUT: Final = timedelta(minutes=5)
"""How long one attempt at a job may take: without an end, a few that hang would stop all others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions:
    """How often a job is tried at most, `None` being up to the queue, and how long one attempt may take."""

    attempts: int | None = None
    timeout: timedelta = TIMEOUT


_USUAL: Final = JobOptions()


def job_options[F: Callable[..., object]](
    *, attempts: int | None = None, timeout: timedelta = TIMEOUT
) -> Callable[[F], F]:
    """Gives a job's function options of its own: `@job_options(attempts=3, timeout=timedelta(hours=1))`."""

    def give(function: F) -> F:
        vars(function)["job_options"] = JobOptions(attempts=attempts, timeout=timeout)
        return function

    return give


def options_of(function: Callable[..., object]) -> JobOptions:
    """How the function wants to be run."""
    return cast("JobOptions", getattr(function, "job_options", _USUAL))
