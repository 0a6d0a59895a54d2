"""The port for the audit trail: who changed what. `app.core.db.log_audit` provides it by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One change. Contains no personal data.

    Attributes:
        actor_id: the user who made the change; during impersonation, the administrator. `None` for the command
            line and for jobs that no user requested.
        action: such as `user.deactivated`.
        client: the pseudonym of the actor's network address (`app.core.observability.pseudonym`).
    """

    actor_id: UUID | None
    action: str
    target_type: str
    target_id: str
    client: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class Audit(Protocol):
    """An audit trail."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """Record the entry as part of the session's transaction."""
        ...
