"""Tracebacks for logs that outlive the request: where it broke and why, without what people typed."""

import re
import traceback
from types import TracebackType

from fastapi.exceptions import ValidationException
from pydantic import ValidationError

type ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# RFC 5321 gives what stands before the @ 64 characters. Without an end, and without giving anything back (++), a long
# text that somebody has sent would stop the process for minutes.
EMAIL = re.compile(r"[\w.+%-]{1,64}+@[\w-]++(?:\.[\w-]++)+")
# Databases quote the row in the detail; SQLAlchemy adds the statement and its parameters.
QUOTED_DATA = re.compile(r"DETAIL:|\[SQL:|\[parameters:")


def redact(text: str) -> str:
    """The text without e-mail addresses."""
    return EMAIL.sub("[email]", text)


def safe_traceback(exc_info: ExcInfo) -> str:
    """The traceback of an exception and of those that it came from, with messages that quote no data."""
    return "\n".join(_lines(exc_info[1], set()))


def _lines(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    lines: list[str] = []
    origin = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if origin is not None and id(origin) not in seen:
        lines += [*_lines(origin, seen), "", "which led to:", ""]
    lines += ["Traceback (most recent call last):", "".join(traceback.format_tb(error.__traceback__)).rstrip()]
    lines.append(f"{type(error).__module__}.{type(error).__qualname__}: {_message(error)}")
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions, start=1):
            lines += ["", f"no. {number} of {len(error.exceptions)}:", *_lines(inner, seen)]
    return lines


def text_of(error: BaseException) -> str:
    """The message of an exception, even of one that cannot tell it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - somebody else's, and this is about another one
        return ""


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError | ValidationException):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in error.errors())
    return redact(QUOTED_DATA.split(text_of(error), maxsplit=1)[0].rstrip())
