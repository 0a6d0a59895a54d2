"""Emails that are sent through the queue, which retries them while the provider is unavailable.

The arguments name the user, never an address: the email goes to the user's address at the time of sending, and the
queue stores no addresses.
"""

import hashlib
from collections.abc import Mapping

from app.core.ports.queue import UuidText
from app.core.runtime import Runtime
from app.email.user_email import UserEmail, send_to_user


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
