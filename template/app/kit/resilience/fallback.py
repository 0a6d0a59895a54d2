"""A substitute for the result of a call that failed."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import structlog

from app.kit.resilience.errors import ErrorFilter, UnavailableError, matcher

logger = structlog.stdlib.get_logger(__name__)


class Captured[T]:
    """The result of a block: the value that it assigned, or the substitute.

    Attributes:
        error: the error that the substitute stands for.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._values: list[T] = []

    @property
    def value(self) -> T:
        """The result.

        Raises:
            LookupError: the block has assigned none.
        """
        if not self._values:
            raise LookupError("The block has not assigned a value.")
        return self._values[-1]

    @value.setter
    def value(self, value: T) -> None:
        self._values = [value]


class Fallback[T]:
    """A substitute for the result of a call that failed, such as a cached or an empty one.

    As a decorator of an async function, or around a block:

        @Fallback(lambda _error: DEFAULT_RATES)
        async def fetch_rates() -> Rates: ...

        with Fallback(lambda _error: DEFAULT_RATES).capture() as rates:
            rates.value = await fetch_rates()

    Args:
        substitute: returns the substitute for an error. It must not wait.
        on: the errors that have a substitute. All others are raised.
    """

    def __init__(
        self, substitute: Callable[[Exception], T], *, on: ErrorFilter = (UnavailableError, TimeoutError)
    ) -> None:
        self._substitute = substitute
        self._on = matcher(on)

    def __call__[**P, R](self, function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R | T]]:
        """Decorate an async function."""

        @wraps(function)
        async def with_fallback(*args: P.args, **kwargs: P.kwargs) -> R | T:
            try:
                return await function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - raised again if it has no substitute
                return self._replace(error)

        return with_fallback

    @contextmanager
    def capture(self) -> Iterator[Captured[T]]:
        """Capture the block's result in `value`. If the block fails, `value` is the substitute, and `error` is set."""
        captured = Captured[T]()
        try:
            yield captured
        except Exception as error:  # noqa: BLE001 - raised again if it has no substitute
            captured.value = self._replace(error)
            captured.error = error

    def _replace(self, error: Exception) -> T:
        """Return the substitute, or raise the error again if it has none."""
        if not self._on(error):
            raise error
        logger.warning("fallback_used", error=type(error).__name__)
        return self._substitute(error)
