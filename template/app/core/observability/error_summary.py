"""A summary of an exception that is safe to store."""

from typing import Final

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core.observability.redaction import redact, text_of

MAX_REASON: Final = 500


def one_line(error: BaseException) -> str:
    """Return the exception in one line, without input data and e-mail addresses, which some messages quote."""
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        message = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in problems)
    elif isinstance(error, IntegrityError):
        message = str(error.orig)
    elif isinstance(error, DBAPIError):
        message = f"SQLSTATE {getattr(error.orig, 'sqlstate', None)}"
    else:
        message = text_of(error)
    line = redact(message.partition("\n")[0].replace("\0", ""))
    # Lone surrogates cannot be stored.
    line = line.encode(errors="replace").decode()
    return f"{type(error).__name__}: {line}".removesuffix(": ")[:MAX_REASON]
