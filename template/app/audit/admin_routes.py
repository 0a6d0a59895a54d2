"""Admin routes for the audit log."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.audit.export import MEDIA_TYPES, export
from app.audit.models import AuditRecord
from app.audit.queries import find_entries
from app.audit.schemas import AuditEntryRead, AuditPage, AuditQuery, ExportFormat
from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep, SessionDep

router = APIRouter(prefix="/dashboard/audit-logs")


@router.get(
    "",
    response_model=AuditPage,
    responses={200: {"content": {"text/csv": {}, "application/jsonl": {}}}},
)
async def list_audit_entries(
    runtime: RuntimeDep, query: Annotated[AuditQuery, Query()]
) -> AuditPage | StreamingResponse:
    """List or export the entries of the audit log, newest first.

    Send `next_cursor` as `cursor` to get the next page. With `format=csv` or `format=jsonl`, the response is a file
    with all entries that match.
    """
    database = await runtime.database.replica()
    if query.format != ExportFormat.JSON:
        name = f"audit-log.{query.format.value}"
        return StreamingResponse(
            export(database, query, query.format),
            media_type=MEDIA_TYPES[query.format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    # One more than the page shows whether there is another page.
    rows = await find_entries(database, query, before=query.cursor, limit=query.limit + 1)
    items = [AuditEntryRead.model_validate(row) for row in rows[: query.limit]]
    return AuditPage(items=items, next_cursor=items[-1].id if len(rows) > query.limit else None)


@router.get("/{entry_id}")
async def get_audit_entry(entry_id: UUID, session: SessionDep) -> AuditEntryRead:
    """Get an entry of the audit log."""
    entry = await session.get(AuditRecord, entry_id)
    if entry is None:
        raise NotFoundError("Audit entry", entry_id)
    return AuditEntryRead.model_validate(entry)
