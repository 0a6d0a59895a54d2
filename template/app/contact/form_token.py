"""Tokens of forms: signed, without a state on the server. Each states when its form was opened, and can be sent once.

The database refuses a second message with the same form id, so a token that was used is worth nothing. An expired or
forged token is refused before the database is asked.
"""

import base64
import binascii
import hashlib
import hmac
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from pydantic import SecretStr

from app.kit.derived_key import derived_key

MAX_AGE: Final = timedelta(hours=24)
"""Lifetime of a token: a page may stay open for a while before its form is sent."""
CLOCK_SKEW: Final = timedelta(minutes=1)
"""The largest difference between the clocks of two servers."""
_VERSION: Final = 1
_CONTENT: Final = struct.Struct(">Bd16s")
_SIGNATURE_SIZE: Final = hashlib.sha256().digest_size
_SIZE: Final = _CONTENT.size + _SIGNATURE_SIZE
TOKEN_LENGTH: Final = _SIZE // 3 * 4
"""Characters of a token. The size is a multiple of three bytes, so that no two texts are the same in base64."""


class InvalidTokenError(ValueError):
    """The token is forged or malformed, or has expired."""


@dataclass(frozen=True, slots=True)
class Form:
    """An opened form.

    Attributes:
        id: random.
        age: the time since it was opened.
    """

    id: UUID
    age: timedelta


def new_form_token(secret: SecretStr, *, now: float | None = None) -> str:
    """Return the token of a form that is opened at a Unix time in seconds; by default now."""
    content = _CONTENT.pack(_VERSION, time.time() if now is None else now, uuid4().bytes)
    return base64.urlsafe_b64encode(content + _signature(secret, content)).decode()


def read_form_token(secrets: Sequence[SecretStr], token: str, *, now: float | None = None) -> Form:
    """Return the form of a token.

    Args:
        secrets: the keys that may have signed it.
        token: from a client.
        now: the Unix time in seconds; by default that of this machine.

    Raises:
        InvalidTokenError: the token is not valid.
    """
    if len(token) != TOKEN_LENGTH:
        raise InvalidTokenError
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidTokenError from None
    content, signature = raw[: _CONTENT.size], raw[_CONTENT.size :]
    # Each key is compared, so that the time does not show which one has signed.
    if not any([hmac.compare_digest(_signature(secret, content), signature) for secret in secrets]):  # noqa: C419
        raise InvalidTokenError
    _, opened, form_id = _CONTENT.unpack(content)
    age = timedelta(seconds=(time.time() if now is None else now) - opened)
    if not -CLOCK_SKEW <= age <= MAX_AGE:
        raise InvalidTokenError
    return Form(UUID(bytes=form_id), age)


def _signature(secret: SecretStr, content: bytes) -> bytes:
    key = derived_key(secret, "tokens of contact forms")
    return hmac.digest(key, content, hashlib.sha256)
