"""What arrives, whatever way it came, and what a fake provider can be told to do."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as its reader sees it."""

    to: str
    sender: str
    subject: str
    text: str
    html: str | None
    reply_to: str | None
    id: str | None


class FakeProvider(Protocol):
    """A local server that speaks a provider's own protocol.

    Attributes:
        mails: what it has taken.
        attempts: how often it was asked to take something.
    """

    mails: list[Mail]
    attempts: int

    def be_busy(self, times: int) -> None:
        """Takes nothing the next times, and says that it may later."""
        ...

    def lose_answers(self, times: int) -> None:
        """Takes what comes the next times, and breaks off instead of saying so."""
        ...

    def refuse(self, address: str) -> None:
        """Never takes mail to this address."""
        ...

    def refuse_credentials(self) -> None:
        """Does not know the application any more."""
        ...

    def stop(self) -> None:
        """Refuses connections from now on."""
        ...
