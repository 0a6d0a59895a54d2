"""Mails about what goes on by itself: an export that is ready, the figures of a day."""

from datetime import timedelta
from typing import Final

import structlog

from app.core.data_policy.daily_report import DailyReport
from app.core.runtime import Runtime
from app.email.jobs import send_notification_email
from app.email.port import EmailRejectedError
from app.email.service import get_email_service
from app.email.settings import EmailSettings
from app.users.events import ExportReady

logger = structlog.stdlib.get_logger(__name__)

LINK_LIFETIME: Final = timedelta(days=1)
"""As long as a store signs links for; the file itself stays among the user's for longer."""

_FILE: Final = "Everything that we keep about you is in one file, which you find among your files for a week."
_LINK: Final = (
    "The link works for a day, for everybody who has it: pass this mail on to nobody. Did you not ask for this? Then "
    "tell us, since somebody else may have."
)
_KEPT: Final = "Everything that we keep about you has been put together. Answer this mail, and we hand it over to you."


async def on_export_ready(runtime: Runtime, event: ExportReady) -> None:
    """Tells the user. The link is made when the mail leaves: it is in no queue, and in no log."""
    news = {"title": "Your data are ready", "text": _KEPT}
    if event.file_id is not None:
        link = await runtime.user_files.link(event.user_id, event.file_id, lifetime=LINK_LIFETIME)
        news["text"] = _FILE if link is None else f"{_FILE}\n\n{_LINK}"
        if link is not None:
            news |= {"url": link, "label": "Download the file"}
    await send_notification_email(runtime, str(event.user_id), f"export-{event.export_id}", news)


async def on_daily_report(runtime: Runtime, report: DailyReport) -> None:
    """Sends the figures to whoever is to have them, if anybody is."""
    to = runtime.resource(EmailSettings).REPORT_EMAIL
    if not to:
        return
    title = f"{runtime.settings.PROJECT_NAME}: {report.day.isoformat()}"
    figures = [f"{name.replace('_', ' ')}: {count}" for name, count in report.metrics.items()]
    data = {"name": None, "title": title, "paragraphs": figures, "url": None, "label": None}
    try:
        await get_email_service(runtime).send(
            to, title, "notification", data, idempotency_key=f"report/{report.day.isoformat()}"
        )
    except EmailRejectedError as error:
        # The queue would try again, in vain.
        logger.error("email_rejected", template="notification", code=error.code)  # noqa: TRY400 - no traceback helps
