"""Queries on the audit log. Every one is a range of an index, in the order of the keys."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select
from sqlmodel import col

from app.audit.models import AuditRecord
from app.audit.schemas import AuditEntryRead, AuditFilters
from app.core.data_policy.figures import first_key
from app.core.db.database import Database

BATCH: Final = 1000
"""Entries that an export holds in memory at once."""

_COLUMNS: Final = tuple(AuditRecord.__table__.c[name] for name in AuditEntryRead.model_fields)  # type: ignore[attr-defined]  # of a table model


async def find_entries(
    database: Database, filters: AuditFilters, *, before: UUID | None = None, limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the entries that match, newest first: those with keys below `before`."""
    conditions = _conditions(filters)
    if before is not None:
        conditions.append(col(AuditRecord.id) < before)
    statement = select(*_COLUMNS).where(*conditions).order_by(col(AuditRecord.id).desc()).limit(limit)
    return await database.fetch(statement, {})


async def export_entries(database: Database, filters: AuditFilters) -> AsyncIterator[Sequence[Row[*tuple[Any, ...]]]]:
    """Yield all entries that match, newest first, in batches. Holds no connection between two batches."""
    before = None
    while rows := await find_entries(database, filters, before=before, limit=BATCH):
        yield rows
        if len(rows) < BATCH:
            return
        before = rows[-1].id


def _conditions(filters: AuditFilters) -> list[ColumnElement[bool]]:
    conditions = [
        col(getattr(AuditRecord, name)) == value
        for name in ("actor_id", "impersonated_id", "target_type", "target_id", "request_id")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.action is not None:
        conditions.append(_is_action(filters.action))
    # Keys begin with their time.
    if filters.since is not None:
        conditions.append(col(AuditRecord.id) >= first_key(filters.since))
    if filters.until is not None:
        conditions.append(col(AuditRecord.id) < first_key(filters.until))
    return conditions


def _is_action(action: str) -> ColumnElement[bool]:
    if not action.endswith("*"):
        return col(AuditRecord.action) == action
    return col(AuditRecord.action).startswith(action[:-1], autoescape=True)
