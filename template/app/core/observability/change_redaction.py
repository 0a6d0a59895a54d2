"""Redaction of values in the audit trail: which fields changed is shown, but no secret and no personal value."""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Final
from uuid import UUID

from app.core.observability.redaction import redact

type Scalar = str | int | float | bool | None
type Shown = Scalar | list["Shown"] | dict[str, "Shown"]

REDACTED: Final = "[redacted]"
MAX_TEXT: Final = 200
MAX_ITEMS: Final = 50
MAX_DEPTH: Final = 4

SENSITIVE: Final = frozenset(
    {
        "accesstoken",
        "address",
        "apikey",
        "birthdate",
        "birthday",
        "bearer",
        "body",
        "card",
        "city",
        "comment",
        "cookie",
        "credential",
        "description",
        "email",
        "fingerprint",
        "hash",
        "iban",
        "ip",
        "latitude",
        "longitude",
        "mail",
        "message",
        "mobile",
        "name",
        "nickname",
        "note",
        "otp",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "phone",
        "pin",
        "pincode",
        "postcode",
        "pwd",
        "refreshtoken",
        "secret",
        "seed",
        "signature",
        "ssn",
        "street",
        "subject",
        "text",
        "title",
        "token",
        "totp",
        "url",
        "username",
        "zip",
    }
)
"""Words in the names of fields whose values are not shown, also in the plural."""
SENSITIVE_PAIRS: Final = (
    "api_key",
    "access_key",
    "private_key",
    "secret_key",
    "signing_key",
    "encryption_key",
    "backup_code",
    "recovery_code",
    "mfa_code",
    "verification_code",
)

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def shown_value(name: str, value: object) -> Shown:
    """Return a value as the audit trail shows it: JSON, bounded, and redacted if its field is sensitive.

    Args:
        name: of the field.
        value: of any type. Those other than text, numbers, times, ids and collections of these are redacted.
    """
    return REDACTED if value is not None and _is_sensitive(name) else _shown(value, MAX_DEPTH)


def shown_text(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text without email addresses and unprintable characters, and not longer than the limit."""
    cut = text[:limit]
    return redact("".join(char if char.isprintable() else " " for char in cut))[:limit]


def _is_sensitive(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    joined = "_".join(words)
    return any(not SENSITIVE.isdisjoint(_singulars(word)) for word in words) or any(
        pair in joined for pair in SENSITIVE_PAIRS
    )


def _singulars(word: str) -> tuple[str, ...]:
    """Return the words of which a word may be a form: `cities` of `citi` or `city`, `notes` of `not` or `note`."""
    return word, word.removesuffix("s"), word.removesuffix("es"), re.sub("ies$", "y", word)


def _shown(value: object, depth: int) -> Shown:
    plain = value.value if isinstance(value, Enum) else value
    if isinstance(plain, Mapping) and depth:
        members = list(plain.items())[:MAX_ITEMS]
        return {
            shown_text(str(name)): REDACTED if _is_sensitive(str(name)) else _shown(item, depth - 1)
            for name, item in members
        }
    if isinstance(plain, list | tuple | set | frozenset) and depth:
        return [_shown(item, depth - 1) for item in list(plain)[:MAX_ITEMS]]
    return _scalar(plain)


def _scalar(value: object) -> Scalar:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, UUID | datetime | date):
        return str(value)
    return shown_text(value) if isinstance(value, str) else REDACTED
