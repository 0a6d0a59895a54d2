"""The table of files: one row for each object that a user has, uploads, or has deleted."""

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
    """The status of a file."""

    PENDING = "pending"
    """Its upload link has been issued."""
    STORED = "stored"
    """It has been uploaded and checked."""
    DELETING = "deleting"
    """It has been deleted; the object is removed first, then the row."""


class File(Entity, table=True):
    """A user's file.

    The row exists before its object is uploaded and until its object is removed. `due_at` is when a sweep deletes it:
    when a pending upload or a temporary file expires, or when a deletion is retried. A sweep also deletes the files of
    users who no longer exist.
    """

    __tablename__ = "stored_files"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'stored', 'deleting')", name="status"),
        # Serves the list of an owner's files, newest first.
        Index(None, "owner_id", "id"),
    )

    owner_id: UUID | None = Field(foreign_key="users.id", ondelete="SET NULL", nullable=True)
    key: str = Field(max_length=MAX_KEY_LENGTH, unique=True)
    name: str = Field(max_length=NAME_LENGTH)
    content_type: str = Field(max_length=MAX_TYPE_LENGTH)
    size: int = Field(sa_type=BigInteger)
    status: str = Field(default=FileStatus.PENDING, max_length=10)
    due_at: datetime | None = Field(default=None, index=True)
