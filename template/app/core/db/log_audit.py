"""The default audit trail: structured log lines."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.database import after_commit
from app.core.observability.change_redaction import Shown, shown_value
from app.core.ports.audit import AuditEntry


class LogAudit:
    """An audit trail that logs one line per entry, under the logger `audit`, once the change is committed."""

    def __init__(self) -> None:
        self._log = structlog.stdlib.get_logger("audit")

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """See `Audit.record`."""
        after_commit(session, lambda: self._write(entry))

    def _write(self, entry: AuditEntry) -> None:
        self._log.info(
            "audit",
            action=entry.action,
            actor_id=None if entry.actor_id is None else str(entry.actor_id),
            client=entry.client,
            target_type=entry.target_type,
            target_id=entry.target_id,
            details=dict(entry.details),
            changes=shown_changes(entry),
        )


def shown_changes(entry: AuditEntry) -> dict[str, list[Shown]]:
    """Return the changes as `{field: [before, after]}`, redacted."""
    return {
        name: [shown_value(name, change.before), shown_value(name, change.after)]
        for name, change in entry.changes.items()
    }
