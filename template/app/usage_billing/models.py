"""The tables of usage-based billing: the ledger, which is also the outbox, and the error reports of Stripe."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from app.core.db.columns import enum_type
from app.core.db.models import Entity
from app.usage_billing.meters import MAX_NAME_LENGTH

KEY_LENGTH = 200
ID_LENGTH = 255
REASON_LENGTH = 500


class UsageState(StrEnum):
    """The state of a usage record."""

    PENDING = "pending"
    """It has to be sent."""
    PARKED = "parked"
    """Its user has no customer at Stripe yet."""
    SENT = "sent"
    """Stripe has accepted it."""
    REJECTED = "rejected"
    """Stripe does not count it."""
    UNCLEAR = "unclear"
    """Stripe may have counted it, too long ago for another attempt to be safe."""


class UsageRecord(Entity, table=True):
    """Usage of a user. Its id identifies it at Stripe, so that it is counted once however often it is sent.

    Attributes:
        occurred_at: when it was used.
        due_at: when it may be sent next. While a process sends it, the end of that process's lease.
        customer_id: the customer at Stripe, fixed by the first attempt.
        first_attempt_at: from then on, Stripe knows the id for at least 24 hours.
        repeats: how often it was made due again after Stripe had not counted it. Part of the identifier, since Stripe
            ignores an identifier that it rejected late.
        reason: why the last attempt failed.
    """

    __tablename__ = "usage_records"
    __table_args__ = (
        UniqueConstraint("user_id", "meter", "key"),
        CheckConstraint("quantity > 0", name="quantity"),
        Index(None, "user_id", "meter", "occurred_at"),
        Index(
            "ix_usage_records_open",
            "state",
            "due_at",
            postgresql_where=text("state <> 'sent'"),
            sqlite_where=text("state <> 'sent'"),
        ),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    meter: str = Field(max_length=MAX_NAME_LENGTH)
    quantity: int = Field(sa_type=BigInteger)
    occurred_at: datetime
    key: str | None = Field(default=None, max_length=KEY_LENGTH)
    state: UsageState = Field(default=UsageState.PENDING, sa_type=enum_type(UsageState))
    due_at: datetime
    attempts: int = 0
    first_attempt_at: datetime | None = None
    customer_id: str | None = Field(default=None, max_length=ID_LENGTH)
    repeats: int = 0
    reason: str | None = Field(default=None, max_length=REASON_LENGTH)


class MeterErrorReport(Entity, table=True):
    """A report of Stripe about usage that it accepted first and rejected later.

    Attributes:
        event_id: Stripe's id of the event.
        code: Stripe's code, such as `meter_event_customer_not_found`.
        error_count: how many records are concerned. Stripe names only some of them.
    """

    __tablename__ = "meter_error_reports"
    __table_args__ = (UniqueConstraint("event_id", "code"),)

    event_id: str = Field(max_length=ID_LENGTH)
    meter_id: str = Field(max_length=ID_LENGTH)
    code: str = Field(max_length=100)
    error_count: int
    message: str = Field(max_length=REASON_LENGTH)
