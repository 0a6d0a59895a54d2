"""The tables of users and of their identities at providers. `users` itself has no columns of a provider."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Table, UniqueConstraint, false
from sqlmodel import Field

from app.auth.claims import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, MAX_SUBJECT_LENGTH
from app.core.db.models import Entity, metadata
from app.users.roles import MAX_ROLE_LENGTH, Role

PROVIDER_LENGTH = 50


class User(Entity, table=True):
    """A user of the product.

    The address is for contact, not for identification: it may be missing, and two users may have the same one. It is
    stored in lower case. `email_verified` is true only if the provider states that the user owns the address.
    Tokens issued before `tokens_valid_from` are refused. A role that the project no longer has counts as `user`.
    """

    __tablename__ = "users"

    email: str | None = Field(default=None, max_length=MAX_EMAIL_LENGTH, index=True)
    email_verified: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    full_name: str | None = Field(default=None, max_length=MAX_NAME_LENGTH)
    role: str = Field(default=Role.USER.value, max_length=MAX_ROLE_LENGTH)
    is_active: bool = True
    tokens_valid_from: datetime | None = None


class UserIdentity(Entity, table=True):
    """A user at an identity provider.

    A provider never assigns a subject to another user. `name` is the last name that the provider stated: a name that
    the user chose here stays until the provider's name changes. `profile_at` is the provider's time of the newest
    profile. An identity that was deleted at the provider remains as a row, so that late events don't create the user
    again; it has no user if the identity never called.
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
