"""The table of files: one row for each object that a user has, uploads, or has deleted."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from app.core.db.columns import enum_type
from app.core.db.models import Entity
from app.kit.types.file_name import MAX_FILE_NAME_LENGTH
from app.storage.content_type import MAX_TYPE_LENGTH
from app.storage.keys import MAX_KEY_LENGTH


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
        # Serves the list of an owner's files, newest first.
        Index(None, "owner_id", "id"),
    )

    owner_id: UUID | None = Field(foreign_key="users.id", ondelete="SET NULL", nullable=True)
    key: str = Field(max_length=MAX_KEY_LENGTH, unique=True)
    name: str = Field(max_length=MAX_FILE_NAME_LENGTH)
    content_type: str = Field(max_length=MAX_TYPE_LENGTH)
    size: int = Field(sa_type=BigInteger)
    status: FileStatus = Field(default=FileStatus.PENDING, sa_type=enum_type(FileStatus, "status", length=10))
    due_at: datetime | None = Field(default=None, index=True)
