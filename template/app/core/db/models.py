"""Columns that tables share."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

# Every constraint has a name, so that a revision can drop it on any database.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


def utc_now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


class Entity(SQLModel):
    """A row with a key (a UUIDv7, which sorts by age) and the times of its creation and last change."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now, sa_column_kwargs={"onupdate": utc_now})


class SoftDelete(SQLModel):
    """A row that is hidden instead of deleted."""

    deleted_at: datetime | None = Field(default=None, index=True)
