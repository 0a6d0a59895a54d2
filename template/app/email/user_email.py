"""An email to a user, for jobs: it goes to the user's address at the time of sending."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select

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
