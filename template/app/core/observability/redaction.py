"""Redaction of personal data in messages and tracebacks, for logs."""

import re
import traceback
from types import TracebackType

from fastapi.exceptions import ValidationException
from pydantic import ValidationError

type ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# RFC 5321 limits the local part to 64 characters. Without the limit and the possessive quantifiers (++), a long input
# would block the process for minutes.
EMAIL = re.compile(r"[\w.+%-]{1,64}+@[\w-]++(?:\.[\w-]++)+")
# Databases quote the row in DETAIL; SQLAlchemy adds the statement and its parameters.
QUOTED_DATA = re.compile(r"DETAIL:|\[SQL:|\[parameters:")
MAX_EXCEPTIONS = 50
"""Exceptions of one traceback. A loop that raises from its last error builds chains without an end."""
MAX_MESSAGE = 4_000
"""Characters of one message, which may quote a request's whole body."""


def redact(text: str) -> str:
    """Return the text with e-mail addresses replaced."""
    return EMAIL.sub("[email]", text)


def safe_traceback(exc_info: ExcInfo) -> str:
    """Return the traceback of an exception and its causes, with messages that quote no data."""
    return "\n".join(_lines(exc_info[1], set()))


def _lines(error: BaseException, seen: set[int]) -> list[str]:
    """Return the lines of an exception, those that led to it, and those of its group."""
    chain, is_complete = _chain(error, seen)
    lines = [] if is_complete else ["(earlier exceptions are left out)", ""]
    for position, each in enumerate(chain):
        if position:
            lines += ["", "which led to:", ""]
        lines += ["Traceback (most recent call last):", "".join(traceback.format_tb(each.__traceback__)).rstrip()]
        lines.append(f"{type(each).__module__}.{type(each).__qualname__}: {safe_message(each)[:MAX_MESSAGE]}")
        if isinstance(each, BaseExceptionGroup):
            for number, inner in enumerate(each.exceptions, start=1):
                lines += ["", f"no. {number} of {len(each.exceptions)}:"]
                if len(seen) >= MAX_EXCEPTIONS:
                    lines.append("(it and the following ones are left out)")
                    break
                lines += _lines(inner, seen)
    return lines


def _chain(error: BaseException, seen: set[int]) -> tuple[list[BaseException], bool]:
    """Return an exception and those that led to it, the first one first, and whether all of them are included."""
    chain, origin = [error], _origin(error)
    seen.add(id(error))
    while origin is not None and id(origin) not in seen:
        if len(seen) >= MAX_EXCEPTIONS:
            return chain[::-1], False
        seen.add(id(origin))
        chain.append(origin)
        origin = _origin(origin)
    return chain[::-1], True


def _origin(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def text_of(error: BaseException) -> str:
    """Return the message of an exception, even if its `__str__` fails."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the original exception matters, not this one
        return ""


def safe_message(error: BaseException) -> str:
    """Return the message of an exception, without e-mail addresses and the data that databases and validators quote."""
    if isinstance(error, ValidationError | ValidationException):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in error.errors())
    return redact(QUOTED_DATA.split(text_of(error), maxsplit=1)[0].rstrip())
