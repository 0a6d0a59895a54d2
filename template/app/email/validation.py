"""Validation of everything that reaches an email's headers: addresses, single lines and attachments."""

import re
from collections.abc import Sequence
from typing import Final

from app.email.errors import EmailRejectedError, InvalidAddressError, InvalidAttachmentError
from app.email.port import Attachment

MAX_ADDRESS: Final = 254
MAX_LOCAL_PART: Final = 64
MAX_LINE: Final = 500
MAX_IDEMPOTENCY_KEY: Final = 200
MAX_BODY_SIZE: Final = 500_000
"""Bytes of the plain text and the HTML together."""
MAX_ATTACHMENTS: Final = 20
MAX_ATTACHMENTS_SIZE: Final = 7_000_000
"""Bytes of all attachments together. In base64 and with the body, they fit into 10 MB, the smallest limit of all
providers."""
MAX_FILENAME: Final = 200
MAX_CONTENT_TYPE: Final = 78

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})+)")
_FILENAME: Final = re.compile(r'[^\\/:*?"<>|;.\s][^\\/:*?"<>|;]*\.[A-Za-z0-9]{1,16}')
_CONTENT_TYPE: Final = re.compile(
    r"(application|audio|font|image|model|text|video)/[a-z0-9][a-z0-9!#$&^_.+-]*", re.IGNORECASE
)


def check_address(address: str) -> str:
    """Validate an address and return it in the form used on the wire: an internationalised domain becomes ASCII.

    Quoted and non-ASCII local parts (RFC 6531) are rejected, because few servers accept them, and so is anything that
    could add a header or a second recipient.

    Raises:
        InvalidAddressError: the text is not an email address.
    """
    if len(address) > MAX_ADDRESS:
        raise InvalidAddressError
    local, at, domain = address.rpartition("@")
    encoded = address if domain.isascii() else f"{local}{at}{_ascii_domain(domain)}"
    found = _ADDRESS.fullmatch(encoded)
    if found is None or len(encoded) > MAX_ADDRESS or len(found[1]) > MAX_LOCAL_PART:
        raise InvalidAddressError
    return encoded


def _ascii_domain(domain: str) -> str:
    try:
        encoded = domain.encode("idna")
        decoded = encoded.decode("idna")
    except UnicodeError:
        raise InvalidAddressError from None
    if decoded != domain.lower():
        # The codec implements IDNA 2003, which maps some letters to others: the email would go to another domain
        # (`straße` would become `strasse`).
        raise InvalidAddressError
    return encoded.decode("ascii")


def check_line(text: str, label: str) -> str:
    """Validate the text of a header.

    Args:
        label: the subject of the error message, such as "The subject".

    Raises:
        EmailRejectedError: the text is empty, too long, or contains a line break or another control character.
    """
    if len(text) > MAX_LINE or not text.strip() or not text.isprintable():
        raise EmailRejectedError(f"{label} must be a single line of 1 to {MAX_LINE} printable characters.")
    return text


def check_body(text: str, html: str | None) -> None:
    """Validate the two forms of an email.

    Raises:
        EmailRejectedError: they are too large together, or contain a lone surrogate, which has no encoding.
    """
    forms = [text, html or ""]
    try:
        too_large = sum(map(len, forms)) > MAX_BODY_SIZE or sum(len(form.encode()) for form in forms) > MAX_BODY_SIZE
    except UnicodeEncodeError:
        raise EmailRejectedError("The text of an email must not contain lone surrogates.") from None
    if too_large:
        raise EmailRejectedError(f"The text and the HTML of an email can have at most {MAX_BODY_SIZE} bytes together.")


def check_attachments(attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
    """Validate attachments: sizes first, then names and types.

    Raises:
        InvalidAttachmentError: there are too many, they are too large, or a file name or content type is not allowed.
    """
    if len(attachments) > MAX_ATTACHMENTS:
        raise InvalidAttachmentError(f"An email can have at most {MAX_ATTACHMENTS} attachments.")
    if sum(len(attachment.content) for attachment in attachments) > MAX_ATTACHMENTS_SIZE:
        raise InvalidAttachmentError(f"Attachments can have at most {MAX_ATTACHMENTS_SIZE} bytes in total.")
    for attachment in attachments:
        _check_attachment(attachment)
    return tuple(attachments)


def _check_attachment(attachment: Attachment) -> None:
    name, content_type = attachment.filename, attachment.content_type
    if not attachment.content:
        raise InvalidAttachmentError("An attachment must not be empty.")
    if len(name) > MAX_FILENAME or not name.isprintable() or not _FILENAME.fullmatch(name):
        raise InvalidAttachmentError(
            f"The file name of an attachment must look like invoice.pdf: 1 to {MAX_FILENAME} printable characters, "
            'an extension, and none of \\ / : * ? " < > | ;'
        )
    if len(content_type) > MAX_CONTENT_TYPE or not _CONTENT_TYPE.fullmatch(content_type):
        raise InvalidAttachmentError(
            "The content type of an attachment must look like application/pdf, without parameters."
        )


def check_idempotency_key(key: str) -> str:
    """Validate an idempotency key.

    Raises:
        ValueError: the key is not 1 to 200 printable ASCII characters without spaces.
    """
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError(
            f"An idempotency key must be 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters without spaces."
        )
    return key
