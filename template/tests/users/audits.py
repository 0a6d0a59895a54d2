"""A record of what administrators do, kept in memory."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ports.audit import AuditEntry


class MemoryAudit:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """See `Audit.record`."""
        assert session.in_transaction()
        self.entries.append(entry)
