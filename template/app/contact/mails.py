"""The emails of the contact form."""

from typing import Final

from app.contact.models import ContactMessage
from app.contact.settings import ContactSettings
from app.core.ports.mail import Mail
from app.core.runtime import Runtime
from app.kit.types.email_address import ascii_email

MAX_SUBJECT: Final = 120


async def send_notification(runtime: Runtime, message: ContactMessage) -> None:
    """Send a message to ADMIN_EMAIL. A reply goes to the sender of the message.

    Raises:
        MailRejectedError: the email will never be accepted.
    """
    subject = one_line(f"Contact form: {message.subject or message.name}")
    fields = {
        "Name": message.name,
        "Email": message.email,
        "Phone": message.phone,
        "Company": message.company,
        "Subject": message.subject,
    }
    data = {
        "paragraphs": message.message.replace("\r\n", "\n").split("\n\n"),
        "fields": {label: value for label, value in fields.items() if value is not None},
        # Under a heading of their own: the sender chooses their names, such as "Email".
        "other_fields": message.extra_fields,
        "source": message.source,
    }
    await runtime.mail.send(
        Mail(
            to=runtime.resource(ContactSettings).ADMIN_EMAIL,
            subject=subject,
            template="contact_notification",
            data=data,
            reply_to=_reply_to(message.email),
            key=f"contact-notification/{message.id}",
        )
    )


async def send_confirmation(runtime: Runtime, message: ContactMessage) -> None:
    """Send a confirmation to the address that the sender typed, which may be another person's.

    It contains nothing that the sender typed.

    Raises:
        MailRejectedError: the email will never be accepted.
    """
    await runtime.mail.send(
        Mail(
            to=message.email,
            subject=f"Your message to {runtime.settings.PROJECT_NAME}",
            template="contact_confirmation",
            data={},
            key=f"contact-confirmation/{message.id}",
        )
    )


def one_line(text: str) -> str:
    """Return a text as the subject of an email: one line of printable characters."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:MAX_SUBJECT]


def _reply_to(email: str) -> str | None:
    try:
        return ascii_email(email)
    except ValueError:
        # Few servers accept a local part that is not ASCII. The address is in the text.
        return None
