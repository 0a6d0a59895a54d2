"""The outbox: published events that have not reached their streams yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from app.core.db.models import utc_now

STREAM_LENGTH = 250


class RealtimeOutboxEvent(SQLModel, table=True):
    """An event that waits for its stream. Written in the publishing transaction; deleted a moment after the commit."""

    __tablename__ = "realtime_outbox"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    created_at: datetime = Field(default_factory=utc_now, index=True)
    stream: str = Field(max_length=STREAM_LENGTH)
    data: str = Field(sa_type=Text)
