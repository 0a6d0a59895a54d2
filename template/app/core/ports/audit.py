"""The port for the audit trail: who changed what. `app.core.db.log_audit` provides it by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Change(NamedTuple):
    """The value of a field before and after a change. The audit trail redacts secret and personal values."""

    before: object
    after: object


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One change. Contains no personal data. The audit trail adds the id and the user agent of the current request.

    Attributes:
        actor_id: the user who made the change; during impersonation, the administrator. `None` for the command
            line and for jobs that no user requested.
        action: such as `user.deactivated`.
        client: the pseudonym of the actor's network address (`app.core.observability.pseudonym`).
        details: further facts, such as a reason.
        changes: the changed fields by name. Values are redacted if the name or the value looks personal or secret.
        impersonated_id: the user whom the actor impersonates; by default that of the current request.
    """

    actor_id: UUID | None
    action: str
    target_type: str
    target_id: str
    client: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    impersonated_id: UUID | None = None


class Audit(Protocol):
    """An audit trail."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """Record the entry as part of the session's transaction."""
        ...
