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


def redact(text: str) -> str:
    """Return the text with e-mail addresses replaced."""
    return EMAIL.sub("[email]", text)


def safe_traceback(exc_info: ExcInfo) -> str:
    """Return the traceback of an exception and its causes, with messages that quote no data."""
    return "\n".join(_lines(exc_info[1], set()))


def _lines(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    lines: list[str] = []
    origin = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if origin is not None and id(origin) not in seen:
        lines += [*_lines(origin, seen), "", "which led to:", ""]
    lines += ["Traceback (most recent call last):", "".join(traceback.format_tb(error.__traceback__)).rstrip()]
    lines.append(f"{type(error).__module__}.{type(error).__qualname__}: {safe_message(error)}")
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions, start=1):
            lines += ["", f"no. {number} of {len(error.exceptions)}:", *_lines(inner, seen)]
    return lines


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
