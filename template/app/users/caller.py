"""Who is calling, as the database knows them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.users.models import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The active user whose token the request carries. What it holds was true when the request came in."""

    id: UUID
    email: str | None
    full_name: str | None
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime

    @property
    def is_admin(self) -> bool:
        """Whether they may enter the admin area."""
        return self.role is Role.ADMIN
