"""What may stand in a header: an address that is one, and text of one line."""

import re
from typing import Final

from app.email.port import EmailRejectedError

MAX_ADDRESS: Final = 254
MAX_LOCAL: Final = 64
MAX_LINE: Final = 500

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})+)")


class InvalidAddressError(EmailRejectedError):
    """It is no address that mail could go to."""

    code = "INVALID_ADDRESS"

    def __init__(self) -> None:
        super().__init__("This is not an e-mail address.")


def check_address(address: str) -> str:
    """The address as it goes over the wire: a domain in another alphabet becomes its ASCII form.

    Quoted local parts and those in other alphabets (RFC 6531), which few servers take, are refused, and so is
    whatever could add a header or a second recipient.

    Raises:
        InvalidAddressError: it is none.
    """
    local, at, domain = address.rpartition("@")
    wired = address if domain.isascii() else f"{local}{at}{_ascii_domain(domain)}"
    found = _ADDRESS.fullmatch(wired)
    if found is None or len(wired) > MAX_ADDRESS or len(found[1]) > MAX_LOCAL:
        raise InvalidAddressError
    return wired


def _ascii_domain(domain: str) -> str:
    try:
        wired = domain.encode("idna")
        back = wired.decode("idna")
    except UnicodeError:
        raise InvalidAddressError from None
    if back != domain.lower():
        # The codec is of 2003 and reads some letters as others: the mail would go to another domain (ß is not ss).
        raise InvalidAddressError
    return wired.decode("ascii")


def check_line(text: str, what: str) -> str:
    """Text for a header.

    Raises:
        EmailRejectedError: it is empty, too long, or has a line break or another control character.
    """
    if not text.strip() or len(text) > MAX_LINE or not text.isprintable():
        raise EmailRejectedError(f"{what} is one line of 1 to {MAX_LINE} printable characters.")
    return text
