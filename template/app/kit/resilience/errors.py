"""Errors of the helpers, and the choice of the errors that they handle."""

from collections.abc import Callable
from datetime import timedelta

type ErrorFilter = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Exception classes, or a function that returns whether it is one of the errors in question."""


class UnavailableError(Exception):
    """A call was refused before anything was sent.

    Attributes:
        name: the system's name.
        retry_after: the time after which a call may be admitted, if known.
    """

    def __init__(self, name: str, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.retry_after = retry_after


class CircuitOpenError(UnavailableError):
    """The circuit is open after repeated failures, or another call is probing the system."""

    def __init__(self, name: str, *, retry_after: timedelta | None = None) -> None:
        message = f"{name} has failed repeatedly. No call is made until its circuit closes again."
        super().__init__(name, message, retry_after=retry_after)


class BulkheadFullError(UnavailableError):
    """All slots were in use for as long as a call may wait."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, f"{name} is busy with {limit} calls. Try again later.")


def matcher(errors: ErrorFilter) -> Callable[[Exception], bool]:
    """Return a function that tells whether the filter includes an error."""
    if isinstance(errors, type | tuple):
        return lambda error: isinstance(error, errors)
    return errors
