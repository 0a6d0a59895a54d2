"""Personal data, retention, metrics and figures of the contact form."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from app.contact.models import ConfirmedRecipient, ContactMessage, MessageState
from app.contact.recipients import PERIOD
from app.contact.settings import ContactSettings
from app.core.data_policy.daily_report import rows, rows_since
from app.core.data_policy.figures import rows_by, rows_by_day
from app.core.manifest import Figure, PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime
from app.users.models import users

KEEP_SPAM: Final = timedelta(days=30)


def _belongs(user_id: UUID) -> ColumnElement[bool]:
    """Return the condition for messages from a user's address, which the provider states to be the user's own.

    Anyone can sign up with an address that they don't own: they must neither read nor delete its owner's messages.
    """
    own = select(users.c.email).where(users.c.id == user_id, users.c.email_verified)
    return col(ContactMessage.email_key).in_(own)


def _expired(runtime: Runtime, now: datetime) -> ColumnElement[bool]:
    kept = timedelta(days=runtime.resource(ContactSettings).CONTACT_KEEP_DAYS)
    received = col(ContactMessage.created_at)
    is_spam = col(ContactMessage.state) == MessageState.SPAM
    return or_(received < now - kept, and_(is_spam, received < now - KEEP_SPAM))


PERSONAL_DATA: Final = (PersonalData(model=ContactMessage, belongs=_belongs),)

RETENTION: Final = (
    RetentionRule(model=ContactMessage, expired=_expired),
    RetentionRule(
        model=ConfirmedRecipient, expired=lambda _runtime, now: col(ConfirmedRecipient.confirmed_at) < now - PERIOD
    ),
)

FIGURES: Final = (
    Figure(name="contact_messages_received", query=rows_by_day(ContactMessage)),
    Figure(name="contact_messages_by_state", query=rows_by(col(ContactMessage.state), MessageState)),
)

_RECEIVED: Final = col(ContactMessage.created_at)
_STATE: Final = col(ContactMessage.state)

REPORT_METRICS: Final = (
    ReportMetric(name="contact_messages", count=rows_since(_RECEIVED, _STATE != MessageState.SPAM)),
    ReportMetric(name="contact_spam", count=rows_since(_RECEIVED, _STATE == MessageState.SPAM)),
    ReportMetric(name="contact_unanswered", count=rows(ContactMessage, _STATE == MessageState.NEW)),
)
