"""The files' table: one row for each object that a user has, is sending, or is rid of."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from app.core.db.models import Entity
from app.storage.file_types import MAX_TYPE_LENGTH
from app.storage.keys import MAX_KEY_LENGTH

NAME_LENGTH = 200


class FileStatus(StrEnum):
    """Where a file stands."""

    PENDING = "pending"
    """There is a link for its upload."""
    STORED = "stored"
    """It was uploaded and checked."""
    DELETING = "deleting"
    """Its owner is rid of it; the object goes first, then the row."""


class File(Entity, table=True):
    """A user's file.

    A row outlives its object, and never the other way round: it is there before the upload and goes after the object.
    `due_at` says when the next sweep has to see to it: when a pending upload expires, when a stored file does that is
    kept for a while only, when a deletion is to be tried again. A row whose owner is gone is deleted as well.
    """

    __tablename__ = "stored_files"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'stored', 'deleting')", name="status"),
        # An owner's files, the newest first, are read off this index.
        Index(None, "owner_id", "id"),
    )

    owner_id: UUID | None = Field(foreign_key="users.id", ondelete="SET NULL", nullable=True)
    key: str = Field(max_length=MAX_KEY_LENGTH, unique=True)
    name: str = Field(max_length=NAME_LENGTH)
    content_type: str = Field(max_length=MAX_TYPE_LENGTH)
    size: int = Field(sa_type=BigInteger)
    status: str = Field(default=FileStatus.PENDING, max_length=10)
    due_at: datetime | None = Field(default=None, index=True)
