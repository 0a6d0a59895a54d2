"""Codes with which the server closes connections (RFC 6455 §7.4; from 4000 on our own), and their reasons."""

from typing import Final, NamedTuple


class Close(NamedTuple):
    """The end of a connection.

    Attributes:
        reason: for developers; at most 123 bytes.
    """

    code: int
    reason: str


POLICY: Final = Close(1008, "Too many messages.")
TOO_LARGE: Final = Close(1009, "The message is too large.")
NOT_TEXT: Final = Close(1003, "Messages are text.")
INTERNAL: Final = Close(1011, "Internal error.")
RESTART: Final = Close(1012, "The server stops. Reconnect.")
TOO_SLOW: Final = Close(1013, "The client reads too slowly. Reconnect and continue from the last offset.")
ACCESS_CHANGED: Final = Close(4000, "The user's rights have changed. Reconnect.")
TOKEN_EXPIRED: Final = Close(4401, "The token has expired or was revoked.")
DEACTIVATED: Final = Close(4403, "The account is deactivated.")
NO_HEARTBEAT: Final = Close(4408, "The client has sent nothing for too long.")
