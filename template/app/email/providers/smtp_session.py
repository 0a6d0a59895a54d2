"""One conversation with a mail server, and what its troubles mean for the mail."""

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

from app.email.calls import Failure, ProviderError
from app.email.providers.smtp_url import Encryption, SmtpServer

STEP_SECONDS: Final = 10.0
CLOSING: Final = 421
PERMANENT: Final = 500


class SmtpSession:
    """Connects when there is something to send, and again when the connection was lost.

    Args:
        name: what the client calls itself.
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
            timeout=STEP_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client.is_connected:
            try:
                await self._client.quit()
            except (SMTPException, OSError):
                # All mail has been answered for by now.
                self._client.close()

    async def send(self, sender: str, to: str, mail: bytes) -> None:
        """Hands one mail over.

        Raises:
            ProviderError: telling whether the server has it.
        """
        handed_over = False
        try:
            if not self._client.is_connected:
                await self._client.connect()
            await self._client.mail(sender)
            await self._client.rcpt(to)
            handed_over = True
            await self._client.data(mail)
        except SMTPRecipientRefused as error:
            await self._reset()
            raise _failure(error, handed_over=False) from None
        except (SMTPException, OSError) as error:
            self._client.close()
            raise _failure(error, handed_over=handed_over) from None
        except BaseException:
            # Whoever stops waiting leaves a conversation behind of which nobody knows where it stands.
            self._client.close()
            raise

    async def _reset(self) -> None:
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self._client.close()


def _failure(error: SMTPException | OSError, *, handed_over: bool) -> ProviderError:
    if isinstance(error, SMTPResponseException):
        return ProviderError(_meaning(error), str(error.code))
    if isinstance(error, (ConnectionError, TimeoutError)):
        # A certificate that nobody has signed will not be better in a second.
        failure = Failure.LATER if isinstance(error.__cause__, ssl.SSLError) else Failure.DOWN
        return ProviderError(Failure.UNKNOWN if handed_over else failure, type(error).__name__)
    # No STARTTLS, no AUTH, a certificate that does not fit.
    return ProviderError(Failure.LATER, type(error).__name__)


def _meaning(error: SMTPResponseException) -> Failure:
    """What an answer says. Every one but 2xx and 3xx means that the server does not have the mail (RFC 5321 §4.2)."""
    if error.code == CLOSING:
        return Failure.DOWN
    if isinstance(error, SMTPRecipientRefused):
        # 4xx: greylisted, or a full mailbox, which takes minutes.
        return Failure.FINAL if error.code >= PERMANENT else Failure.LATER
    if error.code < PERMANENT:
        return Failure.DOWN
    if isinstance(error, SMTPAuthenticationError) or not isinstance(error, SMTPDataError):
        return Failure.LATER
    return Failure.FINAL
