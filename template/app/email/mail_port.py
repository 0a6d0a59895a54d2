"""The provider of the core's port for emails."""

from app.core.ports.mail import Mail, MailRejectedError
from app.email.errors import EmailRejectedError
from app.email.mailer import Mailer


class MailerPort:
    """A `MailSender` that sends with the mailer."""

    is_available = True

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def send(self, mail: Mail) -> None:
        """See `MailSender.send`."""
        try:
            await self._mailer.send(
                mail.to, mail.subject, mail.template, mail.data, reply_to=mail.reply_to, idempotency_key=mail.key
            )
        except EmailRejectedError as error:
            raise MailRejectedError(error.code) from error
