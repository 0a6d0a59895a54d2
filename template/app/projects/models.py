"""The table of projects."""

from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from app.core.db.models import Entity, SoftDelete

NAME_LENGTH = 200
DESCRIPTION_LENGTH = 5000


class Project(Entity, SoftDelete, table=True):
    """A project of a user."""

    __tablename__ = "projects"
    # Serves the list of an owner's projects, newest first.
    __table_args__ = (Index(None, "owner_id", "id"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str = Field(max_length=NAME_LENGTH)
    description: str | None = Field(default=None, max_length=DESCRIPTION_LENGTH)
