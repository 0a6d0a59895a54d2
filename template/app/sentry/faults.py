"""Faults of the application, as opposed to expected exceptions."""

import asyncio
from typing import Final

from app.core.errors import AppError
from app.kit.user_error import UserError

EXPECTED: Final[tuple[type[BaseException], ...]] = (
    AppError,
    UserError,
    asyncio.CancelledError,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
)
"""Exceptions that become responses, messages for operators, or the end of a task or a process."""


def is_expected(error: BaseException) -> bool:
    """Return whether an exception, or every exception of a group, is expected."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_expected(inner) for inner in error.exceptions)
    return isinstance(error, EXPECTED)


def is_fault_of_job(error: BaseException) -> bool:
    """Return whether the exception of a job's last attempt is a fault. An `AppError` is: it becomes no response."""
    return isinstance(error, AppError) or not is_expected(error)
