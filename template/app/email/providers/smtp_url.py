"""SMTP_URL: the mail server, the credentials and the encryption."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

DEFAULT_PORTS: Final = {"smtp": 587, "smtps": 465}
LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
INVALID_URL: Final = "must look like smtp://user:password@host:587 or smtps://user:password@host:465"


class Encryption(Enum):
    """The encryption of the connection."""

    TLS = auto()
    """Implicit TLS, from the first byte (RFC 8314)."""
    STARTTLS = auto()
    """TLS before authentication (RFC 3207). A server that does not offer it is not used."""
    NONE = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpServer:
    """The parsed SMTP_URL."""

    host: str
    port: int
    encryption: Encryption
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.encryption.name})"


def parse_smtp_url(url: str) -> SmtpServer:
    """Parse SMTP_URL.

    `smtp://` requires STARTTLS. `?starttls=never` disables encryption, for a mail catcher on the same machine or a
    relay in a private network; a password is then allowed on the loopback interface only.

    Raises:
        ValueError: the URL is invalid. The message quotes no part of it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(INVALID_URL) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise ValueError(INVALID_URL)
    if (parts.username is None) != (parts.password is None):
        raise ValueError("must have both a user and a password, or neither")
    return SmtpServer(
        host=parts.hostname,
        port=port or DEFAULT_PORTS[parts.scheme],
        encryption=_encryption(parts),
        username=parts.username and unquote(parts.username),
        password=parts.password and unquote(parts.password),
    )


def _encryption(parts: SplitResult) -> Encryption:
    options = parse_qs(parts.query, keep_blank_values=True)
    if not options:
        return Encryption.TLS if parts.scheme == "smtps" else Encryption.STARTTLS
    if parts.scheme != "smtp" or options != {"starttls": ["never"]}:
        raise ValueError("supports no option except ?starttls=never, with smtp://")
    if parts.password and parts.hostname not in LOOPBACK:
        raise ValueError("would send the password unencrypted: remove ?starttls=never")
    return Encryption.NONE
