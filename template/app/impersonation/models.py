"""The table of impersonations."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from app.core.db.columns import enum_type
from app.core.db.models import Entity

REASON_LENGTH = 100


class EndReason(StrEnum):
    """Why an impersonation ended."""

    STOPPED = "stopped"
    REPLACED = "replaced"
    """The administrator started another one."""
    EXPIRED = "expired"
    REVOKED = "revoked"
    """The administrator or the user was deactivated, has another role, or had their tokens revoked."""


_IS_OPEN = text("ended_at IS NULL")


class Impersonation(Entity, table=True):
    """A period in which an administrator may act as a user. Its id is the `jti` of the token.

    An open row may be over already: it has expired, or one of the two users was deactivated. No request is accepted
    then, and a sweep closes the row.
    """

    __tablename__ = "impersonations"
    __table_args__ = (
        # An administrator impersonates one user at a time.
        Index("uq_impersonations_open", "admin_id", unique=True, postgresql_where=_IS_OPEN, sqlite_where=_IS_OPEN),
    )

    admin_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
    reason: str = Field(max_length=REASON_LENGTH)
    expires_at: datetime
    ended_at: datetime | None = Field(default=None, index=True)
    end_reason: EndReason | None = Field(default=None, sa_type=enum_type(EndReason))
