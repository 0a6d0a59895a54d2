"""The interface of fake providers, and what arrives at them, independent of the protocol."""

from dataclasses import dataclass
from typing import Protocol

from app.email.port import Attachment


@dataclass(frozen=True, kw_only=True)
class ReceivedEmail:
    """An email as its recipient sees it."""

    to: str
    sender: str
    subject: str
    text: str
    html: str | None
    reply_to: str | None
    id: str | None
    attachments: tuple[Attachment, ...] = ()


class FakeProvider(Protocol):
    """A local server that speaks a provider's own protocol.

    Attributes:
        accepted: the emails that it has accepted.
        attempts: the number of requests to send something.
    """

    accepted: list[ReceivedEmail]
    attempts: int

    def be_busy(self, times: int) -> None:
        """Refuse the next requests with an error that allows a retry."""
        ...

    def lose_replies(self, times: int) -> None:
        """Accept the next requests, and close the connection instead of replying."""
        ...

    def reject(self, address: str) -> None:
        """Reject emails to this address permanently."""
        ...

    def revoke_credentials(self) -> None:
        """Accept the application's credentials no longer."""
        ...

    def stop(self) -> None:
        """Refuse connections from now on."""
        ...
