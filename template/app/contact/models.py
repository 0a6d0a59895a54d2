"""The tables of the contact form."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.db.columns import enum_type
from app.core.db.models import Entity, utc_now
from app.kit.types.email_address import MAX_EMAIL_LENGTH

NAME_LENGTH: Final = 200
PHONE_LENGTH: Final = 20
"""Characters of a number in the form of E.164, with some to spare."""
MESSAGE_LENGTH: Final = 5000
CONSENT_LENGTH: Final = 50
RECIPIENT_LENGTH: Final = 64
REASON_LENGTH: Final = 500


class MessageState(StrEnum):
    """The state of a message."""

    NEW = "new"
    ANSWERED = "answered"
    SPAM = "spam"


class SpamReason(StrEnum):
    """The reason why the form took a message for spam."""

    HONEYPOT = "honeypot"
    """A field that people cannot see is filled in."""
    TOO_FAST = "too_fast"
    """The form was sent sooner than a person can fill it in."""


class DeliveryKind(StrEnum):
    """The kind of a delivery."""

    NOTIFICATION = "notification"
    """An email to ADMIN_EMAIL."""
    CONFIRMATION = "confirmation"
    """An email to the sender."""
    WEBHOOK = "webhook"
    """A request to CONTACT_WEBHOOK_URL."""


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class ContactMessage(Entity, table=True):
    """A message that a visitor sent with the contact form.

    Attributes:
        form_id: identifies the form that was sent. A form can be sent once.
        email_key: the sender's address in the form by which addresses are compared.
        source: where the visitor came from: the keys of `app.contact.schemas.Source`.
        consent_version: the version of the text that the sender agreed to, at `consent_at`.
    """

    __tablename__ = "contact_messages"
    # Serves the list of one state, newest first.
    __table_args__ = (UniqueConstraint("form_id"), Index(None, "state", "id"), Index(None, "created_at"))

    form_id: UUID
    name: str = Field(max_length=NAME_LENGTH)
    email: str = Field(max_length=MAX_EMAIL_LENGTH)
    email_key: str = Field(max_length=MAX_EMAIL_LENGTH, index=True)
    phone: str | None = Field(default=None, max_length=PHONE_LENGTH)
    company: str | None = Field(default=None, max_length=NAME_LENGTH)
    subject: str | None = Field(default=None, max_length=NAME_LENGTH)
    message: str = Field(max_length=MESSAGE_LENGTH)
    extra_fields: dict[str, object] = Field(default_factory=dict, sa_type=JSON)
    source: dict[str, object] = Field(default_factory=dict, sa_type=JSON)
    consent_version: str | None = Field(default=None, max_length=CONSENT_LENGTH)
    consent_at: datetime | None = None
    state: MessageState = Field(default=MessageState.NEW, sa_type=enum_type(MessageState))
    spam_reason: SpamReason | None = Field(default=None, sa_type=enum_type(SpamReason))
    answered_at: datetime | None = None


class ContactDelivery(Entity, table=True):
    """An email or a webhook that is sent because of a message, once.

    Attributes:
        due_at: when it may be sent next. During an attempt, the end of the lease of the process that sends it.
        reason: why the last attempt failed. Contains no personal data.
    """

    __tablename__ = "contact_deliveries"
    __table_args__ = (
        UniqueConstraint("message_id", "kind"),
        Index(
            "ix_contact_deliveries_due",
            "due_at",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
    )

    message_id: UUID = Field(foreign_key="contact_messages.id", ondelete="CASCADE")
    kind: DeliveryKind = Field(sa_type=enum_type(DeliveryKind))
    state: DeliveryState = Field(default=DeliveryState.PENDING, sa_type=enum_type(DeliveryState))
    due_at: datetime = Field(default_factory=utc_now)
    attempts: int = 0
    reason: str | None = Field(default=None, max_length=REASON_LENGTH)


class ConfirmedRecipient(SQLModel, table=True):
    """A mailbox that a confirmation was sent to, to limit their number.

    Attributes:
        recipient: the pseudonym of the mailbox (`app.contact.recipients`).
    """

    __tablename__ = "contact_recipients"

    recipient: str = Field(primary_key=True, max_length=RECIPIENT_LENGTH)
    confirmed_at: datetime = Field(index=True)
