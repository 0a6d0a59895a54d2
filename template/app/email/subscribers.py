"""The emails that the application sends in response to events."""

from datetime import timedelta
from typing import Final

import structlog

from app.core.data_policy.daily_report import DailyReport
from app.core.ports.events import UserNotice
from app.core.runtime import Runtime
from app.email.errors import EmailRejectedError
from app.email.jobs import send_notification_email, send_welcome_email
from app.email.mailer import get_mailer
from app.email.settings import EmailSettings
from app.users.events import ExportReady, UserCreated

logger = structlog.stdlib.get_logger(__name__)

LINK_LIFETIME: Final = timedelta(days=1)
"""The longest lifetime of a signed link. The file itself is kept for longer."""

_IN_FILES: Final = "Your data export is in your files, where it is kept for a week."
_LINK: Final = (
    "The link works for one day, for anyone who has it: don't forward this email. If you didn't request this export, "
    "contact support."
)
_ON_REQUEST: Final = "Your data export is complete. Reply to this email, and we will send it to you."


async def on_user_created(runtime: Runtime, event: UserCreated) -> None:
    """Queue the welcome email, in the transaction that creates the user: it is sent after the commit."""
    if event.email is None:
        return
    async with runtime.database.transaction() as session:
        user_id = str(event.user_id)
        await runtime.queue.enqueue(session, send_welcome_email, user_id, job_id=f"welcome:{user_id}")


async def on_export_ready(runtime: Runtime, event: ExportReady) -> None:
    """Notify the user. The link is created when the email is sent, so it is in no queue and in no log."""
    notification = {"title": "Your data export is ready", "text": _ON_REQUEST}
    if event.file_id is not None:
        link = await runtime.user_files.link(event.user_id, event.file_id, lifetime=LINK_LIFETIME)
        notification["text"] = _IN_FILES if link is None else f"{_IN_FILES}\n\n{_LINK}"
        if link is not None:
            notification |= {"url": link, "label": "Download the file"}
    await send_notification_email(runtime, str(event.user_id), f"export-{event.export_id}", notification)


async def on_user_notice(runtime: Runtime, event: UserNotice) -> None:
    """Send the notice to its user."""
    notification = {"title": event.title, "text": event.text}
    if event.url is not None:
        notification |= {"url": event.url, "label": event.label or event.title}
    await send_notification_email(runtime, str(event.user_id), event.key, notification)


async def on_daily_report(runtime: Runtime, report: DailyReport) -> None:
    """Send the daily report to REPORT_EMAIL, if it is set."""
    to = runtime.resource(EmailSettings).REPORT_EMAIL
    if not to:
        return
    title = f"{runtime.settings.PROJECT_NAME}: {report.day.isoformat()}"
    lines = [f"{name.replace('_', ' ')}: {count}" for name, count in report.metrics.items()]
    data = {"name": None, "title": title, "paragraphs": lines, "url": None, "label": None}
    try:
        await get_mailer(runtime).send(
            to, title, "notification", data, idempotency_key=f"report/{report.day.isoformat()}"
        )
    except EmailRejectedError as error:
        # Not raised: a retry by the queue would be rejected as well.
        logger.error("email_rejected", template="notification", code=error.code)  # noqa: TRY400 - no traceback helps
