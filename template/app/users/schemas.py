"""What clients send and see of users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.auth.claims import MAX_NAME_LENGTH
from app.kit.text import Line
from app.users.models import Role

FullName = Annotated[str, Line(max_length=MAX_NAME_LENGTH)]


class UserRead(BaseModel):
    """A user, as they see themselves and administrators see them."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str | None
    full_name: str | None
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime


class ProfileUpdate(BaseModel):
    """What users may change of themselves. What is left out stays; `null` clears it."""

    model_config = ConfigDict(extra="forbid")

    full_name: FullName | None = None


class UserUpdate(ProfileUpdate):
    """What an administrator may change of a user. What is left out stays."""

    # Never used, since only what was sent is written: the field may be left out, but it cannot be null.
    role: Role = Field(default_factory=lambda: Role.USER)
