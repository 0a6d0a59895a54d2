"""The tables of flags."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.db.models import Entity

KEY_LENGTH: Final = 100
DESCRIPTION_LENGTH: Final = 500
REVISION_ID: Final = 1
"""The key of the only row of `feature_flag_revisions`."""


class FeatureFlag(Entity, table=True):
    """A flag. Its key never changes: code names it, and percentages depend on it.

    `user_count` is the length of its list. Every change of a list updates it, since changes run one after another.
    """

    __tablename__ = "feature_flags"
    __table_args__ = (CheckConstraint("user_count >= 0", name="user_count"),)

    key: str = Field(max_length=KEY_LENGTH, unique=True)
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH)
    enabled: bool = False
    rules: list[dict[str, Any]] = Field(sa_type=JSON)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    user_count: int = 0


class FeatureFlagUser(Entity, table=True):
    """A user in the list of a flag."""

    __tablename__ = "feature_flag_users"
    __table_args__ = (
        # Serves the lists of a user.
        UniqueConstraint("user_id", "flag_id"),
        # Serves the users of a list, newest first.
        Index(None, "flag_id", "id"),
    )

    flag_id: UUID = Field(foreign_key="feature_flags.id", ondelete="CASCADE")
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")


class FeatureFlagRevision(SQLModel, table=True):
    """The number of changes to flags, in one row. Processes compare it with the number that they have loaded."""

    __tablename__ = "feature_flag_revisions"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    revision: int = Field(sa_type=BigInteger)
