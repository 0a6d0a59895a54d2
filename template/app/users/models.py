"""The users' tables. Who somebody is at a provider of identities is a table of its own: `users` knows no provider."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Table, UniqueConstraint
from sqlmodel import Field

from app.auth.claims import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, MAX_SUBJECT_LENGTH
from app.core.db.columns import enum_type
from app.core.db.models import Entity, metadata

PROVIDER_LENGTH = 50


class Role(StrEnum):
    """What somebody may do. It lives here only, never in a token that a user could have changed."""

    USER = "user"
    ADMIN = "admin"


ROLE_TYPE = enum_type(Role, length=16)


class User(Entity, table=True):
    """Somebody who uses the product.

    The address is a way to reach them and not who they are: it may be missing, and two users may have the same one.
    It is stored in lower case.
    """

    __tablename__ = "users"

    email: str | None = Field(default=None, max_length=MAX_EMAIL_LENGTH, index=True)
    full_name: str | None = Field(default=None, max_length=MAX_NAME_LENGTH)
    role: Role = Field(default=Role.USER, sa_type=ROLE_TYPE)
    is_active: bool = True


class UserIdentity(Entity, table=True):
    """A user as a provider knows them.

    A provider never gives a subject to somebody else. `name` is what it last said, so that a name that the user has
    chosen here stays until the provider's own changes. `profile_at` is the provider's time of the newest profile seen.
    One that was deleted at the provider stays as a row, without a user if it was never seen before, so that news
    that arrive late create nobody.
    """

    __tablename__ = "user_identities"
    __table_args__ = (
        UniqueConstraint("provider", "subject"),
        CheckConstraint("user_id IS NOT NULL OR deleted_at IS NOT NULL", name="has_user_or_is_deleted"),
    )

    provider: str = Field(max_length=PROVIDER_LENGTH)
    subject: str = Field(max_length=MAX_SUBJECT_LENGTH)
    user_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE", index=True)
    name: str | None = Field(default=None, max_length=MAX_NAME_LENGTH)
    profile_at: datetime | None = None
    deleted_at: datetime | None = None


users: Table = metadata.tables["users"]
user_identities: Table = metadata.tables["user_identities"]
