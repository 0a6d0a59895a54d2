"""Validation of everything that reaches an email's headers: addresses, single lines and attachments."""

import re
from collections.abc import Sequence
from typing import Final

from app.email.errors import EmailRejectedError, InvalidAddressError, InvalidAttachmentError
from app.email.port import Attachment
from app.kit.types.email_address import ascii_email
from app.kit.types.file_name import MAX_FILE_NAME_LENGTH, clean_file_name
from app.kit.types.media_type import parse_media_type

MAX_LINE: Final = 500
MAX_IDEMPOTENCY_KEY: Final = 200
MAX_BODY_SIZE: Final = 500_000
"""Bytes of the plain text and the HTML together."""
MAX_ATTACHMENTS: Final = 20
MAX_ATTACHMENTS_SIZE: Final = 7_000_000
"""Bytes of all attachments together. In base64 and with the body, they fit into 10 MB, the smallest limit of all
providers."""
MAX_CONTENT_TYPE: Final = 78

_EXTENSION: Final = re.compile(r".+\.[A-Za-z0-9]{1,16}")
_KINDS: Final = frozenset({"application", "audio", "font", "image", "model", "text", "video"})
"""Not `message` and `multipart`, of which an email client would show the parts."""


def check_address(address: str) -> str:
    """Validate an address and return it in the form used on the wire: an internationalised domain becomes ASCII.

    Quoted and non-ASCII local parts (RFC 6531) are rejected, because few servers accept them, and so is anything that
    could add a header or a second recipient.

    Raises:
        InvalidAddressError: the text is not an email address.
    """
    try:
        return ascii_email(address)
    except ValueError:
        raise InvalidAddressError from None


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
    if not _is_safe_name(name):
        raise InvalidAttachmentError(
            f"The file name of an attachment must look like invoice.pdf: 1 to {MAX_FILE_NAME_LENGTH} printable "
            'characters, an extension, and none of \\ / : * ? " < > | ;'
        )
    if not _is_content_type(content_type):
        raise InvalidAttachmentError(
            "The content type of an attachment must look like application/pdf, without parameters."
        )


def _is_safe_name(name: str) -> bool:
    try:
        return len(name) <= MAX_FILE_NAME_LENGTH and clean_file_name(name) == name and bool(_EXTENSION.fullmatch(name))
    except ValueError:
        return False


def _is_content_type(value: str) -> bool:
    try:
        parsed = parse_media_type(value)
    except ValueError:
        return False
    return (
        len(value) <= MAX_CONTENT_TYPE
        and parsed.essence == value.lower()
        and value.split("/", maxsplit=1)[0].lower() in _KINDS
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
