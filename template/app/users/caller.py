"""The authenticated user of a request or WebSocket."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.auth.port import Assurance
from app.core.context import Actor
from app.users.roles import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The active user whose token the request carries, as of the start of the request.

    Attributes:
        assurance: how far the token's session can be trusted.
        permissions: those of the role.
        impersonator_id: the administrator who acts as this user, if one does.
        impersonation_id: the impersonation in which the administrator acts.
        client: the pseudonym of the network address, for the audit trail.
    """

    id: UUID
    email: str | None
    full_name: str | None
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
    assurance: Assurance = field(default_factory=Assurance)
    permissions: frozenset[str] = frozenset()
    impersonator_id: UUID | None = None
    impersonation_id: UUID | None = None
    client: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether the user may enter the admin area."""
        return self.role == Role.ADMIN

    def has_permission(self, permission: str) -> bool:
        """Return whether the user's role has the permission. Administrators have every declared one."""
        return permission in self.permissions

    @property
    def actor_id(self) -> UUID:
        """The user who acts: the impersonating administrator, or else the user."""
        return self.impersonator_id or self.id

    @property
    def actor(self) -> Actor:
        """The user who acts, for the audit trail."""
        return Actor(id=self.actor_id, client=self.client)
