"""Reports of statements that write many rows, for the audit trail."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from app.core.context import current_request
from app.core.ports.audit import AuditEntry

ON_BULK_CHANGE: Final = "on_bulk_change"
"""The key under which a session's `info` has the listener."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkChange:
    """A statement that wrote rows.

    Attributes:
        fields: the names of the changed columns; empty for new rows.
    """

    table: str
    operation: Literal["created", "updated"]
    rows: int
    fields: tuple[str, ...] = ()


type BulkListener = Callable[[AsyncSession, BulkChange], Awaitable[None]]


async def report_bulk_change(
    session: AsyncSession,
    model: type[SQLModel],
    operation: Literal["created", "updated"],
    rows: int,
    fields: Iterable[str] = (),
) -> None:
    """Report a statement to the listener of the session's database, unless it wrote no row."""
    listener: BulkListener | None = session.info.get(ON_BULK_CHANGE)
    if listener is not None and rows:
        table = str(inspect(model).local_table)
        await listener(session, BulkChange(table=table, operation=operation, rows=rows, fields=tuple(sorted(fields))))


def bulk_entry(change: BulkChange) -> AuditEntry:
    """Return the entry of the audit trail."""
    context = current_request.get()
    actor = None if context is None else context.actor
    return AuditEntry(
        actor_id=None if actor is None else actor.id,
        action=f"rows.{change.operation}",
        target_type=change.table,
        target_id="*",
        client=None if actor is None else actor.client,
        details={"rows": str(change.rows), **({"fields": ", ".join(change.fields)} if change.fields else {})},
    )
