"""Mail that goes nowhere: it is shown in the terminal of a developer."""

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
from app.email.port import CONSOLE, EmailPiece, EmailProvider, EmailResult, Message

logger = structlog.stdlib.get_logger(__name__)

KEPT: Final = 500
WIDTH: Final = 78


class ConsoleSettings(ModuleSettings):
    """It needs none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A mail that went nowhere."""

    message: Message
    to: str
    key: str


class ConsoleEmail:
    """Shows mails, and keeps the last of them for tests: `runtime.resource(ConsoleEmail).outbox`.

    Args:
        local: whether this is a developer's machine. Elsewhere the terminal is a log, which keeps what is in a mail for
            longer than its reader would like, and shows it to more people.
    """

    def __init__(self, *, local: bool) -> None:
        self.outbox: deque[Shown] = deque(maxlen=KEPT)
        self._local = local

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        if self._local:
            self.outbox.extend(Shown(message=message, to=address, key=key) for address in to)
            click.echo("\n".join(_rendered(message, address) for address in to))
        else:
            logger.warning("email_not_sent", reason="EMAIL_PROVIDER is console", count=len(to))
        return [EmailResult(to=address, provider=CONSOLE, message_id=f"console-{uuid7()}") for address in to]


def _rendered(message: Message, to: str) -> str:
    headers = [f"From:    {message.sender.mailbox}", f"To:      {to}", f"Subject: {message.subject}"]
    if message.reply_to:
        headers.insert(1, f"Reply-To: {message.reply_to}")
    return "\n".join([" mail (not sent) ".center(WIDTH, "-"), *headers, "", message.text.rstrip(), "-" * WIDTH])


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    console = ConsoleEmail(local=runtime.settings.is_local)
    runtime.provide(ConsoleEmail, console)
    yield console


provider = EmailPiece(name=CONSOLE, settings=ConsoleSettings, open=_open)
