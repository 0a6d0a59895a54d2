"""SMTP_URL: which server takes the mail, who we are there, and how the way to it is encrypted."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

PORTS: Final = {"smtp": 587, "smtps": 465}
LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
FORM: Final = "has to look like smtp://user:password@host:587 or smtps://user:password@host:465"


class Encryption(Enum):
    """How the way to the server is protected."""

    TLS = auto()
    """From the first byte (RFC 8314)."""
    STARTTLS = auto()
    """Before anything is said; a server that cannot is not used (RFC 3207)."""
    NONE = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpServer:
    """What SMTP_URL says."""

    host: str
    port: int
    encryption: Encryption
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.encryption.name})"


def parse_smtp_url(url: str) -> SmtpServer:
    """Reads the address.

    `smtp://` demands STARTTLS. `?starttls=never` does without, for a mail catcher on this machine or a relay in a
    private network; a password then goes to this machine only.

    Raises:
        ValueError: it is none; the message starts with a verb and quotes nothing of it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(FORM) from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise ValueError(FORM)
    if (parts.username is None) != (parts.password is None):
        raise ValueError("has to have both a user and a password, or neither")
    return SmtpServer(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        encryption=_encryption(parts),
        username=parts.username and unquote(parts.username),
        password=parts.password and unquote(parts.password),
    )


def _encryption(parts: SplitResult) -> Encryption:
    options = parse_qs(parts.query, keep_blank_values=True)
    if not options:
        return Encryption.TLS if parts.scheme == "smtps" else Encryption.STARTTLS
    if parts.scheme != "smtp" or options != {"starttls": ["never"]}:
        raise ValueError("may end in ?starttls=never after smtp://, and in no other option")
    if parts.password and parts.hostname not in LOOPBACK:
        raise ValueError("would send the password in the clear: leave ?starttls=never out")
    return Encryption.NONE
