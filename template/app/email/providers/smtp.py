"""SMTP, for any mail server (RFC 5321, RFC 6409)."""

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
from app.email.delivery import Delivery
from app.email.port import EmailProvider, EmailProviderSpec, EmailResult, Message
from app.email.providers.smtp_session import SmtpSession
from app.email.providers.smtp_url import Encryption, SmtpServer, parse_smtp_url

NAME: Final = "smtp"
TIMEOUT: Final = timedelta(seconds=30)


def _check_url(value: SecretStr) -> SecretStr:
    if value:
        parse_smtp_url(value.get_secret_value())
    return value


class SmtpSettings(ModuleSettings):
    """The mail server's URL."""

    SMTP_URL: Annotated[SecretStr, AfterValidator(_check_url), NEEDED] = SecretStr("")


class SmtpEmail:
    """Email through SMTP: each email is sent separately, through one connection per call.

    SMTP has no idempotency keys: an attempt with an unknown outcome is not retried.
    """

    def __init__(self, server: SmtpServer, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        self._delivery = Delivery(NAME, detects_duplicates=False, timeout=TIMEOUT)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        domain = message.sender.address.rpartition("@")[2]
        async with SmtpSession(self._server, self._context, domain) as session:
            results: list[EmailResult] = []
            for address in to:
                attempt = partial(self._send_one, session, message, address, key)
                results += await self._delivery.results([address], attempt)
        return results

    async def _send_one(self, session: SmtpSession, message: Message, to: str, key: str) -> list[EmailResult]:
        # Encoding large attachments takes up to a second, so not on the event loop.
        message_id, content = await asyncio.to_thread(_encode, message, to, key)
        await session.send(message.sender.address, to, content)
        return [EmailResult(to=to, provider=NAME, message_id=message_id)]


def _encode(message: Message, to: str, key: str) -> tuple[str, bytes]:
    mail = compose(message, to, key)
    return str(mail["Message-ID"]), mail.as_bytes(policy=WIRE)


def compose(message: Message, to: str, key: str) -> EmailMessage:
    """Compose the email (RFC 5322).

    The Message-ID is derived from the key and the address, so that the recipient's server can recognise a duplicate.
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
    # Prevents automatic replies (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text, cte="quoted-printable")
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    for attachment in message.attachments:
        maintype, _, subtype = attachment.content_type.partition("/")
        mail.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=attachment.filename)
    return mail


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    server = parse_smtp_url(runtime.resource(SmtpSettings).SMTP_URL.get_secret_value())
    encrypted = server.encryption is not Encryption.NONE
    # Loads all trusted certificates from disk, so not on the event loop.
    yield SmtpEmail(server, await asyncio.to_thread(ssl.create_default_context) if encrypted else None)


provider = EmailProviderSpec(name=NAME, settings=SmtpSettings, open=_open)
