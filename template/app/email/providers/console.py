"""A provider for development: it prints emails to the terminal and sends nothing."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import click
import structlog
from uuid_utils.compat import uuid7

from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.port import CONSOLE, EmailProvider, EmailProviderSpec, EmailResult, Message

logger = structlog.stdlib.get_logger(__name__)

OUTBOX_SIZE: Final = 500
LINE_WIDTH: Final = 78


class ConsoleSettings(ModuleSettings):
    """The provider has no settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrintedEmail:
    """An email that was printed instead of sent."""

    message: Message
    to: str
    key: str


class ConsoleEmail:
    """A provider that prints emails, and keeps the latest ones for tests: `runtime.resource(ConsoleEmail).outbox`.

    Args:
        local: whether this is a developer's machine. Elsewhere the output is a log, which keeps content for longer and
            shows it to more people than the recipient expects; then only a warning is logged.
    """

    def __init__(self, *, local: bool) -> None:
        self.outbox: deque[PrintedEmail] = deque(maxlen=OUTBOX_SIZE)
        self._local = local

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        if self._local:
            self.outbox.extend(PrintedEmail(message=message, to=address, key=key) for address in to)
            click.echo("\n".join(_rendered(message, address) for address in to))
        else:
            logger.warning("email_not_sent", reason="EMAIL_PROVIDER is console", count=len(to))
        return [EmailResult(to=address, provider=CONSOLE, message_id=f"console-{uuid7()}") for address in to]


def _rendered(message: Message, to: str) -> str:
    headers = [f"From:    {message.sender.mailbox}", f"To:      {to}", f"Subject: {message.subject}"]
    if message.reply_to:
        headers.insert(1, f"Reply-To: {message.reply_to}")
    headers += [
        f"Attached: {attachment.filename} ({attachment.content_type}, {len(attachment.content)} bytes)"
        for attachment in message.attachments
    ]
    return "\n".join(
        [" email (not sent) ".center(LINE_WIDTH, "-"), *headers, "", message.text.rstrip(), "-" * LINE_WIDTH]
    )


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    console = ConsoleEmail(local=runtime.settings.is_local)
    if not runtime.settings.is_local:
        logger.warning("email_is_console", hint="No email is sent. Set EMAIL_PROVIDER to another provider.")
    runtime.provide(ConsoleEmail, console)
    yield console


provider = EmailProviderSpec(name=CONSOLE, settings=ConsoleSettings, open=_open)
