"""The projects' table."""

from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from app.core.db.models import Entity, SoftDelete

NAME_LENGTH = 200
DESCRIPTION_LENGTH = 5000


class Project(Entity, SoftDelete, table=True):
    """Something that a user works on."""

    __tablename__ = "projects"
    # An owner's projects, the newest first, are read off this index.
    __table_args__ = (Index(None, "owner_id", "id"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str = Field(max_length=NAME_LENGTH)
    description: str | None = Field(default=None, max_length=DESCRIPTION_LENGTH)
