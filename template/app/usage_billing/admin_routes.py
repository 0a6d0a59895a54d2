"""Admin routes for usage that is billed."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from sqlmodel import col

from app.core.admin_view import AdminAction, AdminView
from app.core.db.pagination import Page, PageDep
from app.core.errors import ConflictError, NotFoundError
from app.core.http.dependencies import ActorDep, ReplicaSessionDep, RuntimeDep, SessionDep
from app.core.ports.audit import AuditEntry
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.repository import ErrorReportRepository, UsageRepository
from app.usage_billing.schemas import MeterErrorReportRead, UsageRecordRead

router = APIRouter(prefix="/usage")

VIEWS: Final = (
    AdminView(
        title="Usage records",
        path="/usage/records",
        columns=("meter", "quantity", "state", "reason", "occurred_at", "user_id"),
        actions=(AdminAction(path="/send", only_if={"state": (UsageState.REJECTED, UsageState.UNCLEAR)}),),
    ),
    AdminView(title="Usage errors", path="/usage/error-reports"),
)


@router.get("/records")
async def list_usage_records(
    session: ReplicaSessionDep,
    page: PageDep,
    state: Annotated[UsageState | None, Query(description="Only records in this state.")] = None,
) -> Page[UsageRecordRead]:
    """List usage records, newest first."""
    where = [] if state is None else [col(UsageRecord.state) == state]
    return await UsageRepository(session).page(UsageRecordRead, page, *where)


@router.post("/records/{record_id}/send")
async def send_usage_record(
    runtime: RuntimeDep, session: SessionDep, actor: ActorDep, record_id: UUID
) -> UsageRecordRead:
    """Send a rejected record again. Stripe must not have counted it."""
    usage = UsageRepository(session)
    if not await usage.send_again(record_id):
        if await usage.get(record_id) is None:
            raise NotFoundError("Usage record", record_id)
        raise ConflictError("Only a record that was rejected, or is unclear, can be sent again.")
    entry = AuditEntry(
        actor_id=actor.id,
        action="usage.sent_again",
        target_type="usage_record",
        target_id=str(record_id),
        client=actor.client,
    )
    await runtime.audit.record(session, entry)
    return UsageRecordRead.model_validate(await usage.require(record_id))


@router.get("/error-reports")
async def list_error_reports(session: ReplicaSessionDep, page: PageDep) -> Page[MeterErrorReportRead]:
    """List Stripe's reports about usage that it accepted first and rejected later, newest first."""
    return await ErrorReportRepository(session).page(MeterErrorReportRead, page)
