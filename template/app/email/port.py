"""The email port. A provider sends one message to a list of addresses, as a separate email to each."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.errors import EmailRejectedError, EmailUnavailableError

CONSOLE: Final = "console"
"""The provider that prints emails instead of sending them. Every other provider requires it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """The sender of an email. Address and name are validated: neither contains a line break."""

    address: str
    name: str

    @property
    def mailbox(self) -> str:
        """Name and address as one RFC 5322 §3.4 mailbox, with non-ASCII letters unencoded."""
        if all(letter.isalnum() or letter == " " for letter in self.name):
            return f"{self.name} <{self.address}>"
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.address}>'


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that is sent with an email. The mailer validates all three fields.

    Attributes:
        filename: with its extension, such as `invoice-7.pdf`.
        content_type: a media type without parameters, such as `application/pdf`.
    """

    filename: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A validated message: addresses are well-formed, and everything that becomes a header is a single line."""

    sender: Sender
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailResult:
    """The outcome for one address.

    Attributes:
        message_id: the provider's identifier of the email, if the provider returns one.
        error: why the email was not sent; `None` if the provider accepted it.
    """

    to: str
    provider: str
    message_id: str | None = None
    error: EmailUnavailableError | EmailRejectedError | None = None

    @property
    def sent(self) -> bool:
        """Whether the provider accepted the email. This does not say that it was delivered."""
        return self.error is None


class EmailProvider(Protocol):
    """A provider that sends emails. Use it through `Mailer`, which validates its input."""

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """Send the message to each address as a separate email, so that no recipient sees another.

        Args:
            to: distinct addresses.
            key: the idempotency key, 1 to 200 printable ASCII characters. A provider that supports idempotency sends
                nothing when it has already seen the key with the same content.

        Returns:
            One result per address, in the same order. Failures are returned, not raised.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailProviderSpec:
    """A provider's contribution to the application; each module in `app/email/providers/` defines one as `provider`.

    Attributes:
        name: the value of EMAIL_PROVIDER that selects it.
        settings: its settings class.
        open: creates the provider when the application starts and releases its resources when it stops.
    """

    name: str
    settings: type[ModuleSettings]
    open: Callable[[Runtime], AbstractAsyncContextManager[EmailProvider]]
