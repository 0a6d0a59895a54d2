"""Email addresses, with the library email-validator. No DNS query is made."""

import unicodedata
from typing import Annotated, Final

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from app.kit.types.base import StringFormat

MAX_EMAIL_LENGTH: Final = 254
"""RFC 5321 §4.5.3.1.3, without the angle brackets."""


def check_email(value: str) -> str:
    """Return the address with its case kept, its domain in lower case and in Unicode, and its letters in NFC.

    Quoted local parts, domain literals (`me@[127.0.0.1]`) and domains that no mail can reach (`localhost`, `.test`) are
    refused, and so are the few addresses whose `email_key` is longer than an address.

    Raises:
        ValueError: it is not an email address.
    """
    address = _validated(value, internationalized=True, for_tests=False).normalized
    if len(email_key(address)) > MAX_EMAIL_LENGTH:
        raise _invalid()
    return address


def ascii_email(value: str) -> str:
    """Return the address as it is sent to a mail server: an internationalised domain becomes ASCII (IDNA 2008).

    Domains for tests (`mail.test`) are accepted, unlike in an `Email`.

    Raises:
        ValueError: it is not an email address, or its local part is not ASCII, which few servers accept (RFC 6531).
    """
    found = _validated(value, internationalized=False, for_tests=True)
    if found.ascii_email is None or "." not in found.domain or len(found.ascii_email) > MAX_EMAIL_LENGTH:
        raise _invalid()
    return found.ascii_email


def email_key(value: str) -> str:
    """Return the form by which addresses are compared, for a unique column or a look-up.

    The case of the local part is ignored, as all large providers do. Letters are lower-cased, but not case-folded:
    `straße.example` and `strasse.example` are different domains. The key has at most `MAX_EMAIL_LENGTH` characters.

    Args:
        value: an `Email`.
    """
    return unicodedata.normalize("NFC", value.lower())


def _validated(value: str, *, internationalized: bool, for_tests: bool) -> ValidatedEmail:
    if len(value) > MAX_EMAIL_LENGTH:
        raise _invalid()
    try:
        validated = validate_email(value, check_deliverability=False, test_environment=for_tests, strict=True)
    except (EmailNotValidError, UnicodeError):
        raise _invalid() from None
    if not internationalized and validated.ascii_email is None:
        raise _invalid()
    return validated


def _invalid() -> ValueError:
    return ValueError('must be an email address like "ada@example.com"')


Email = Annotated[
    str,
    StringFormat(
        check=check_email,
        min_length=3,
        max_length=MAX_EMAIL_LENGTH,
        format="email",
        examples=("ada@example.com", "zoë@bücher.example"),
    ),
]
"""An email address, internationalised or not. The case is kept; compare addresses by `email_key`."""
