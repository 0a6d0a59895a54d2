"""Emails that are sent through the queue, which retries them while the provider is unavailable.

The arguments name the user, never an address: the email goes to the user's address at the time of sending, and the
queue stores no addresses.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select

from app.core.ports.queue import UuidText
from app.core.runtime import Runtime
from app.email.errors import EmailRejectedError
from app.email.mailer import get_mailer
from app.email.rendering import greeting_name
from app.users.models import users

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UserEmail:
    """An email to a user.

    Attributes:
        subject: a single line.
        template: the name of a template.
        data: of the template. `name` and `has_account` are added.
        idempotency_key: identifies the email, such as `invoice/7`, so that a retry doesn't send it twice.
    """

    subject: str
    template: str
    data: Mapping[str, object]
    idempotency_key: str


async def send_welcome_email(runtime: Runtime, user_id: UuidText) -> None:
    """Send the welcome email, once per user if the provider supports idempotency keys."""
    subject = f"Welcome to {runtime.settings.PROJECT_NAME}"
    await send_to_user(runtime, user_id, UserEmail(subject, "welcome", {}, f"welcome/{user_id}"))


async def send_password_reset_email(runtime: Runtime, user_id: UuidText, url: str, minutes: int) -> None:
    """Send the link for choosing a new password.

    Args:
        url: of the page, with the token. Each link is a separate email.
        minutes: how long the link is valid.
    """
    subject = f"Choose a new password for {runtime.settings.PROJECT_NAME}"
    digest = hashlib.sha256(url.encode()).hexdigest()
    data: dict[str, object] = {"url": url, "minutes": minutes}
    await send_to_user(runtime, user_id, UserEmail(subject, "password_reset", data, f"password-reset/{digest}"))


async def send_notification_email(
    runtime: Runtime, user_id: UuidText, notification_id: str, notification: Mapping[str, str]
) -> None:
    """Send a notification to a user.

    Args:
        notification_id: identifies the notification, such as the id of a row, so that it is sent only once.
        notification: `title`, which is also the subject; `text`, paragraphs separated by empty lines; optionally `url`
            and `label` of a button. A path like `/invoices/7` is a link below PUBLIC_URL.
    """
    title, text = notification["title"], notification["text"]
    data: dict[str, object] = {
        "title": title,
        "paragraphs": text.split("\n\n"),
        "url": notification.get("url"),
        "label": notification.get("label"),
    }
    key = f"notification/{notification_id}/{user_id}"
    await send_to_user(runtime, user_id, UserEmail(title, "notification", data, key))


async def send_to_user(runtime: Runtime, user_id: str, email: UserEmail) -> None:
    """Send an email to a user's current address. Call this from a job, which is retried while the provider is down.

    Nothing is sent to a deactivated user or one without an address.
    """
    async with runtime.database.reading() as session:
        found = await session.execute(
            select(users.c.email, users.c.full_name).where(users.c.id == UUID(user_id), users.c.is_active)
        )
        user = found.one_or_none()
    if user is None or user.email is None:
        logger.info("email_skipped", template=email.template, reason="no active user with an address")
        return
    data = {"has_account": True, "name": greeting_name(user.full_name), **email.data}
    try:
        await get_mailer(runtime).send(
            user.email, email.subject, email.template, data, idempotency_key=email.idempotency_key
        )
    except EmailRejectedError as error:
        # Not raised: a retry by the queue would be rejected as well.
        logger.error("email_rejected", template=email.template, code=error.code)  # noqa: TRY400 - no traceback helps
