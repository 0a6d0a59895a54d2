"""The check of a WebSocket's handshake (RFC 6455 §4.2.1), so that a malformed one is refused with the common error."""

import binascii
from collections.abc import Iterable
from typing import Final

VERSION: Final = b"13"
KEY_BYTES: Final = 16


def handshake_problem(method: str, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return what is wrong with a handshake, or `None`.

    Args:
        method: of the request.
        headers: with names in lower case.
    """
    versions = [value.strip() for name, value in headers if name == b"sec-websocket-version"]
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    if method != "GET":
        return "A WebSocket's handshake uses the method GET."
    if versions != [VERSION]:
        return "A WebSocket's handshake needs the header Sec-WebSocket-Version: 13."
    if len(keys) != 1 or not _is_key(keys[0]):
        return "A WebSocket's handshake needs one Sec-WebSocket-Key with 16 bytes in Base64."
    return None


def _is_key(value: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(value.strip(), strict_mode=True)) == KEY_BYTES
    except binascii.Error:
        return False
