"""A record of what administrators do, kept in memory."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.database import READ_ONLY
from app.core.ports.audit import AuditEntry


class MemoryAudit:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """See `Audit.record`."""
        assert READ_ONLY not in session.info
        self.entries.append(entry)
