"""The port: who carries mail away. A provider sends one message to some addresses, to each by itself."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from app.core.config.settings import ModuleSettings
from app.core.errors import BadRequestError, ServiceUnavailableError
from app.core.runtime import Runtime

CONSOLE: Final = "console"
"""The provider that sends nothing, for developers' machines; all others come with it."""


class EmailUnavailableError(ServiceUnavailableError):
    """The provider did not take the mail, or nobody knows whether it did. The reason is in the log."""

    code = "EMAIL_UNAVAILABLE"

    def __init__(self, *, retry_after: timedelta | None = None) -> None:
        super().__init__("The mail cannot be sent now. Try again in a moment.", retry_after=retry_after)


class EmailRejectedError(BadRequestError):
    """The mail was refused for good: sending it again is of no use."""

    code = "EMAIL_REJECTED"

    def __init__(self, message: str = "The mail to this address was refused.") -> None:
        super().__init__(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """From whom a mail is. Both are checked: no line breaks."""

    address: str
    name: str

    @property
    def mailbox(self) -> str:
        """Both in one, as RFC 5322 §3.4 writes it, but with letters of any alphabet."""
        if all(letter.isalnum() or letter == " " for letter in self.name):
            return f"{self.name} <{self.address}>"
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.address}>'


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is sent. All of it was checked: addresses are ones, headers are one line."""

    sender: Sender
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    reply_to: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailResult:
    """What became of the mail to one address.

    Attributes:
        message_id: the provider's name for it, where the provider gives one.
        error: why it was not sent; `None` when the provider has taken it.
    """

    to: str
    provider: str
    message_id: str | None = None
    error: EmailUnavailableError | EmailRejectedError | None = None

    @property
    def sent(self) -> bool:
        """Whether the provider has taken it. Whether it arrives is another matter."""
        return self.error is None


class EmailProvider(Protocol):
    """Carries mail away. Use it through `EmailService`, which checks what it is given."""

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """Sends the message to each of the addresses, none of whom sees another.

        Args:
            to: different addresses.
            key: says which sending it is, 1 to 200 printable ASCII characters: with the same key and content again,
                a provider that can tell sends nothing.

        Returns:
            One result an address, in their order. What goes wrong is told there and not raised.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailPiece:
    """What a provider adds to the application; each of `app/email/providers/` builds one as `provider`.

    Attributes:
        name: the value of EMAIL_PROVIDER that selects it.
        settings: its settings class.
        open: makes it when the application starts, and closes what it holds when it stops.
    """

    name: str
    settings: type[ModuleSettings]
    open: Callable[[Runtime], AbstractAsyncContextManager[EmailProvider]]
