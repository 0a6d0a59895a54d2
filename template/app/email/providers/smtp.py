"""Any mail server, over SMTP (RFC 5321, RFC 6409)."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from functools import partial
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.email.calls import Calls
from app.email.port import EmailPiece, EmailProvider, EmailResult, Message
from app.email.providers.smtp_session import SmtpSession
from app.email.providers.smtp_url import Encryption, SmtpServer, parse_smtp_url

NAME: Final = "smtp"
TIMEOUT: Final = timedelta(seconds=30)


def _readable(value: SecretStr) -> SecretStr:
    if value:
        parse_smtp_url(value.get_secret_value())
    return value


class SmtpSettings(ModuleSettings):
    """The server."""

    SMTP_URL: Annotated[SecretStr, AfterValidator(_readable), NEEDED] = SecretStr("")


class SmtpEmail:
    """Hands each mail to the server by itself; many go through one connection."""

    def __init__(self, server: SmtpServer, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        # A server knows no idempotency key: what it may have taken is not sent again.
        self._calls = Calls(NAME, repeats_unknown=False, timeout=TIMEOUT)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        domain = message.sender.address.rpartition("@")[2]
        async with SmtpSession(self._server, self._context, domain) as session:
            results: list[EmailResult] = []
            for address in to:
                results += await self._calls.results((address,), partial(self._one, session, message, address, key))
        return results

    async def _one(self, session: SmtpSession, message: Message, to: str, key: str) -> list[EmailResult]:
        mail = compose(message, to, key)
        await session.send(message.sender.address, to, mail.as_bytes(policy=WIRE))
        return [EmailResult(to=to, provider=NAME, message_id=str(mail["Message-ID"]))]


def compose(message: Message, to: str, key: str) -> EmailMessage:
    """The mail as RFC 5322 wants it.

    The same key and address give the same Message-ID, by which many who receive mail recognise a second copy.
    """
    mail = EmailMessage(policy=WIRE)
    digest = hashlib.sha256(f"{key}\n{to}".encode()).hexdigest()[:32]
    domain = message.sender.address.rpartition("@")[2]
    mail["From"] = message.sender.mailbox
    mail["To"] = to
    if message.reply_to:
        mail["Reply-To"] = message.reply_to
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{digest}@{domain}>"
    # No answers from those who are on holiday (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text, cte="quoted-printable")
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    return mail


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    server = parse_smtp_url(runtime.resource(SmtpSettings).SMTP_URL.get_secret_value())
    encrypted = server.encryption is not Encryption.NONE
    # It reads the certificates of all authorities, once.
    yield SmtpEmail(server, await asyncio.to_thread(ssl.create_default_context) if encrypted else None)


provider = EmailPiece(name=NAME, settings=SmtpSettings, open=_open)
