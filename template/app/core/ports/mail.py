"""The port for emails to addresses that are not users', and its null implementation: no email."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """An email that is made from a template of the sending module: `app/<module>/templates`.

    Attributes:
        to: one address.
        subject: one line of printable characters.
        data: the template's variables.
        reply_to: the address for replies, if it differs from the application's.
        key: derived from stable facts, such as `invite/7`: a second email with the same key and content is not sent, if
            the provider supports it.
    """

    to: str
    subject: str
    template: str
    key: str
    data: Mapping[str, object] = field(default_factory=dict, repr=False)
    reply_to: str | None = None


class MailRejectedError(Exception):
    """The email will never be accepted. The message contains no personal data."""


class MailSender(Protocol):
    """A sender of emails. It may be slow: don't hold a database connection while calling it."""

    @property
    def is_available(self) -> bool:
        """Whether emails are sent at all."""
        ...

    async def send(self, mail: Mail) -> None:
        """Send an email.

        Raises:
            MailRejectedError: a retry would not help.
            Exception: the email could not be sent now.
        """
        ...


class NoMail:
    """The null implementation: sends nothing."""

    is_available = False

    async def send(self, mail: Mail) -> None:
        """See `MailSender.send`."""
