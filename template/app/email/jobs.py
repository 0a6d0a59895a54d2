"""Mails that leave through the queue, which tries again for as long as a provider is down.

Arguments name the user and never an address: the mail goes where the user can be reached when it leaves, and no queue
keeps addresses.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select

from app.core.runtime import Runtime
from app.email.port import EmailRejectedError
from app.email.rendering import greeting_name
from app.email.service import get_email_service
from app.users.models import users

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Letter:
    subject: str
    template: str
    data: dict[str, object]
    key: str


async def send_welcome_email(runtime: Runtime, user_id: str) -> None:
    """Greets somebody who is new. Once a user, where the provider can tell."""
    subject = f"Welcome to {runtime.settings.PROJECT_NAME}"
    await _send_to_user(runtime, user_id, _Letter(subject, "welcome", {}, f"welcome/{user_id}"))


async def send_password_reset_email(runtime: Runtime, user_id: str, url: str, minutes: int) -> None:
    """Sends the link with which somebody chooses a new password.

    Args:
        url: of the page; carries the token, so that each link is one mail.
        minutes: how long it is good for.
    """
    subject = f"Choose a new password for {runtime.settings.PROJECT_NAME}"
    digest = hashlib.sha256(url.encode()).hexdigest()
    data: dict[str, object] = {"url": url, "minutes": minutes}
    await _send_to_user(runtime, user_id, _Letter(subject, "password_reset", data, f"password-reset/{digest}"))


async def send_notification_email(
    runtime: Runtime, user_id: str, notification_id: str, notification: Mapping[str, str]
) -> None:
    """Tells a user something.

    Args:
        notification_id: what makes a second mail of the same news none, such as the id of a row.
        notification: `title`, the subject as well; `text`, paragraphs with an empty line between them; and where the
            user can do something about it, the `url` of a page and the `label` of the button that leads there.
    """
    title, text = notification["title"], notification["text"]
    data: dict[str, object] = {
        "title": title,
        "paragraphs": text.split("\n\n"),
        "url": notification.get("url"),
        "label": notification.get("label"),
    }
    key = f"notification/{notification_id}/{user_id}"
    await _send_to_user(runtime, user_id, _Letter(title, "notification", data, key))


async def _send_to_user(runtime: Runtime, user_id: str, letter: _Letter) -> None:
    async with runtime.database.reading() as session:
        found = await session.execute(
            select(users.c.email, users.c.full_name).where(users.c.id == UUID(user_id), users.c.is_active)
        )
        user = found.one_or_none()
    if user is None or user.email is None:
        logger.info("email_skipped", template=letter.template, reason="there is nobody to reach")
        return
    data = {"name": greeting_name(user.full_name), **letter.data}
    try:
        await get_email_service(runtime).send(
            user.email, letter.subject, letter.template, data, idempotency_key=letter.key
        )
    except EmailRejectedError as error:
        # The queue would try again, in vain.
        logger.error("email_rejected", template=letter.template, code=error.code)  # noqa: TRY400 - no traceback helps
