"""The port for the record of what administrators do, and its null implementation: none is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Who did what to whom; without an actor it was done at the command line, or by a job that nobody has asked for."""

    actor_id: UUID | None
    action: str
    target_type: str
    target_id: str
    details: Mapping[str, str] = field(default_factory=dict)


class Audit(Protocol):
    """A record of what administrators do."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """Keeps the entry in the session's transaction."""
        ...


class NoAudit:
    """Keeps nothing."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """See `Audit.record`."""
