"""An audit log on a database of its own, whose transactions really commit."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from app.audit.models import AuditRecord
from app.audit.sealing import SealingKeys
from app.audit.verification import verify
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime


async def record(runtime: Runtime, *actions: str, actor_id: UUID | None = None) -> None:
    """Record entries in one transaction."""
    async with runtime.database.transaction() as session:
        for action in actions:
            entry = AuditEntry(actor_id=actor_id, action=action, target_type="thing", target_id="1", client="c" * 16)
            await runtime.audit.record(session, entry)


SQLITE_TRIGGERS = (
    "audit_entries_are_final",
    "audit_entries_are_not_deleted",
    "audit_chains_only_grow",
    "audit_chains_are_not_deleted",
)


async def entries(runtime: Runtime) -> Sequence[AuditRecord]:
    """Every entry, in the order of the chains."""
    async with runtime.database.reading() as session:
        order = (col(AuditRecord.chain), col(AuditRecord.sequence))
        return (await session.scalars(select(AuditRecord).order_by(*order))).all()


async def problems(runtime: Runtime) -> list[str]:
    """Findings of a verification."""
    reports = await verify(runtime.database, runtime.resource(SealingKeys))
    return [problem for report in reports for problem in report.problems]


async def tamper(runtime: Runtime, *statements: str) -> None:
    """Change the database like someone who can also remove its triggers."""
    postgresql = runtime.database.engine.dialect.name == "postgresql"
    off = (
        [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("audit_entries", "audit_chains")]
        if postgresql
        else [f"DROP TRIGGER IF EXISTS {name}" for name in SQLITE_TRIGGERS]
    )
    async with runtime.database.transaction() as session:
        for statement in [*off, *statements]:
            await session.execute(text(statement))


@pytest.fixture
def one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry goes to the first chain."""
    monkeypatch.setattr("app.audit.log.random.randrange", lambda _chains: 0)
