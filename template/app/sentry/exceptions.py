"""The payload of exceptions: types and stack traces, and messages only if they are known to quote no data."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from sentry_sdk.utils import single_exception_from_error_tuple

from app.core.errors import AppError
from app.core.observability.redaction import safe_message, text_of

MAX_EXCEPTIONS: Final = 10
MAX_FRAMES: Final = 50
MAX_MESSAGE: Final = 500


MIN_SECRET: Final = 6
"""Shorter values of settings occur in ordinary words."""


class Messages:
    """Redaction of messages: e-mail addresses, the data that databases quote, and messages that contain a secret."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= MIN_SECRET]

    def of(self, error: BaseException) -> str:
        """Return the redacted message of an exception."""
        text = text_of(error)
        # The whole message: the redaction of addresses could leave a part of a secret.
        return "[secret]" if any(secret in text for secret in self._secrets) else safe_message(error)[:MAX_MESSAGE]


def exception_values(
    error: BaseException, options: Mapping[str, Any], messages: Messages | None
) -> list[dict[str, Any]]:
    """Return an exception with its causes, the first cause first, in the form of Sentry's event payload.

    No local variable is part of it. The lines of source code around each frame are.

    Args:
        options: the client's.
        messages: redacts the messages of exceptions. Without it, only those of `AppError` are included, which are
            written for clients. Others often quote data.
    """
    chain = list(islice(_chain(error, set()), MAX_EXCEPTIONS))
    return [_value(each, options, messages, is_last=each is error) for each in reversed(chain)]


def _chain(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """Yield an exception, those of its group, and those that led to it."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _chain(inner, seen)
    origin = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if origin is not None:
        yield from _chain(origin, seen)


def _value(
    error: BaseException, options: Mapping[str, Any], messages: Messages | None, *, is_last: bool
) -> dict[str, Any]:
    mechanism = {"type": "generic", "handled": not is_last}
    value: dict[str, Any] = single_exception_from_error_tuple(
        type(error),
        error,
        error.__traceback__,
        client_options=dict(options),
        mechanism=mechanism,
    )
    value["value"] = _message(error, messages)
    frames = value.get("stacktrace", {}).get("frames", [])
    if len(frames) > MAX_FRAMES:
        # The outermost and the innermost ones.
        value["stacktrace"]["frames"] = [*frames[: MAX_FRAMES // 5], *frames[-MAX_FRAMES * 4 // 5 :]]
    return value


def _message(error: BaseException, messages: Messages | None) -> str:
    if messages is not None:
        return messages.of(error)
    return safe_message(error)[:MAX_MESSAGE] if isinstance(error, AppError) else ""
