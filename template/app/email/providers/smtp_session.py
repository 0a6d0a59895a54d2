"""A session with a mail server, and what its errors mean for the email."""

import ssl
from typing import Final, Self

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from app.email.delivery import Failure, ProviderError
from app.email.providers.smtp_url import Encryption, SmtpServer

COMMAND_TIMEOUT: Final = 10.0
SERVICE_CLOSING: Final = 421
PERMANENT_ERROR: Final = 500


class SmtpSession:
    """A session that connects before the first email, and again if the connection was lost.

    Args:
        name: the domain that the client announces (EHLO).
    """

    def __init__(self, server: SmtpServer, context: ssl.SSLContext | None, name: str) -> None:
        self._client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.encryption is Encryption.TLS,
            start_tls=server.encryption is Encryption.STARTTLS,
            tls_context=context,
            local_hostname=name,
            timeout=COMMAND_TIMEOUT,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client.is_connected:
            try:
                await self._client.quit()
            except (SMTPException, OSError):
                # The outcome of every email is already known.
                self._client.close()

    async def send(self, sender: str, to: str, mail: bytes) -> None:
        """Send one email.

        Raises:
            ProviderError: the server did not accept the email, or the outcome is unknown.
        """
        data_sent = False
        try:
            if not self._client.is_connected:
                await self._client.connect()
            await self._client.mail(sender)
            await self._client.rcpt(to)
            data_sent = True
            await self._client.data(mail)
        except SMTPRecipientRefused as error:
            await self._reset()
            raise _failure(error, data_sent=False) from None
        except (SMTPException, OSError) as error:
            self._client.close()
            raise _failure(error, data_sent=data_sent) from None
        except BaseException:
            # After a cancellation, the state of the session is undefined.
            self._client.close()
            raise

    async def _reset(self) -> None:
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self._client.close()


def _failure(error: SMTPException | OSError, *, data_sent: bool) -> ProviderError:
    if isinstance(error, SMTPResponseException):
        return ProviderError(_failure_of_reply(error), str(error.code))
    if isinstance(error, (ConnectionError, TimeoutError)):
        # Retrying immediately does not make an untrusted certificate valid.
        failure = Failure.DEFERRED if isinstance(error.__cause__, ssl.SSLError) else Failure.TRANSIENT
        return ProviderError(Failure.UNKNOWN if data_sent else failure, type(error).__name__)
    # The server offers no STARTTLS or no AUTH, or its certificate is for another host.
    return ProviderError(Failure.DEFERRED, type(error).__name__)


def _failure_of_reply(error: SMTPResponseException) -> Failure:
    """Map a negative reply. With any 4xx or 5xx the server has not accepted the email (RFC 5321 §4.2)."""
    if error.code == SERVICE_CLOSING:
        return Failure.TRANSIENT
    if isinstance(error, SMTPRecipientRefused):
        # 4xx: greylisting or a full mailbox, which takes minutes to clear.
        return Failure.PERMANENT if error.code >= PERMANENT_ERROR else Failure.DEFERRED
    if error.code < PERMANENT_ERROR:
        return Failure.TRANSIENT
    if isinstance(error, SMTPAuthenticationError) or not isinstance(error, SMTPDataError):
        return Failure.DEFERRED
    return Failure.PERMANENT
