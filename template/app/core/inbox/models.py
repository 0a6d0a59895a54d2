"""The table of inbound webhook events."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from app.core.context import TRACEPARENT_LENGTH
from app.core.db.columns import enum_type
from app.core.db.models import utc_now


class InboxStatus(StrEnum):
    """The state of an event."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class InboxEvent(SQLModel, table=True):
    """An event that another system sent to a webhook."""

    __tablename__ = "inbox_events"
    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        Index("ix_inbox_events_status_next_attempt_at", "status", "next_attempt_at"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    provider: str = Field(max_length=50)
    event_id: str = Field(max_length=255)
    # Plain JSON stores the payload exactly as it was sent; JSONB rejects some of it (U+0000, lone surrogates).
    # Not annotated as `Payload`: pydantic takes longer over a recursive type than over the rest of the table.
    payload: dict[str, object] = Field(sa_type=JSON)
    handler: str = Field(max_length=100)
    status: InboxStatus = Field(default=InboxStatus.PENDING, sa_type=enum_type(InboxStatus, "status", length=10))
    attempts: int = 0
    next_attempt_at: datetime = Field(default_factory=utc_now)
    error: str | None = Field(default=None, max_length=500)
    received_at: datetime = Field(default_factory=utc_now)
    processed_at: datetime | None = None
    traceparent: str | None = Field(default=None, max_length=TRACEPARENT_LENGTH)
