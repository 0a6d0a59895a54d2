"""Request and response bodies for users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.auth.claims import MAX_NAME_LENGTH
from app.kit.text import Line
from app.users.roles import MAX_ROLE_LENGTH, ROLE_PATTERN, Role

RoleName = Annotated[
    str,
    Field(
        max_length=MAX_ROLE_LENGTH,
        pattern=ROLE_PATTERN,
        description="`user`, `admin`, or a role of the project.",
        examples=["admin"],
    ),
]
FullName = Annotated[str, Line(max_length=MAX_NAME_LENGTH)]


class UserRead(BaseModel):
    """A user."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str | None
    full_name: str | None
    role: str = Field(description="`user`, `admin`, or a role of the project.", examples=["user"])
    is_active: bool
    created_at: datetime
    updated_at: datetime


class ProfileUpdate(BaseModel):
    """Changes to the current user. Omitted fields stay unchanged; `null` clears a field."""

    model_config = ConfigDict(extra="forbid")

    full_name: FullName | None = None


class UserUpdate(ProfileUpdate):
    """Changes to a user by an administrator. Omitted fields stay unchanged."""

    # The default is never used, since only sent fields are written: the field may be omitted but not null.
    role: RoleName = Field(default_factory=lambda: Role.USER.value)
