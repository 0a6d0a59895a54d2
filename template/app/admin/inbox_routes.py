"""Admin routes for the inbox: the webhook events from other systems."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from app.core.admin_view import AdminAction, AdminView
from app.core.db.pagination import Page, PageDep, PageParams
from app.core.errors import ConflictError, NotFoundError
from app.core.http.dependencies import ActorDep, RuntimeDep, SessionDep
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.inbox.service import replay_in
from app.core.ports.audit import AuditEntry
from app.kit.search import like_pattern
from app.kit.text import SearchText

router = APIRouter(prefix="/inbox")

INBOX: Final = AdminView(
    title="Inbox",
    path="/inbox",
    columns=("event_id", "provider", "status", "attempts", "error", "received_at"),
    actions=(AdminAction(path="/retry", only_if={"status": (InboxStatus.FAILED,)}),),
)


class InboxEventRead(BaseModel):
    """A webhook event. Its payload is not shown, since it may contain personal data."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str = Field(description="The system that sent the event.", examples=["acme"])
    event_id: str = Field(description="The provider's id of the event.")
    handler: str
    status: InboxStatus
    attempts: int
    next_attempt_at: datetime
    error: str | None = Field(description="Why the last attempt failed.")
    received_at: datetime
    processed_at: datetime | None


@router.get("")
async def list_inbox_events(
    session: SessionDep,
    page: PageDep,
    search: Annotated[SearchText | None, Query(description="Part of the provider's id of the event.")] = None,
    status: Annotated[InboxStatus | None, Query(description="Only events with this status.")] = None,
    provider: Annotated[str | None, Query(max_length=50, description="Only events of this provider.")] = None,
) -> Page[InboxEventRead]:
    """List webhook events, newest first."""
    where = []
    if status is not None:
        where.append(col(InboxEvent.status) == status)
    if provider:
        where.append(col(InboxEvent.provider) == provider)
    if search:
        where.append(col(InboxEvent.event_id).ilike(like_pattern(search), escape="\\"))
    return await _page(session, page, where)


@router.get("/{inbox_event_id}")
async def get_inbox_event(session: SessionDep, inbox_event_id: UUID) -> InboxEventRead:
    """Get a webhook event."""
    return await _read(session, inbox_event_id)


@router.post("/{inbox_event_id}/retry")
async def retry_inbox_event(
    runtime: RuntimeDep, session: SessionDep, actor: ActorDep, inbox_event_id: UUID
) -> InboxEventRead:
    """Retry a failed event, with all its attempts."""
    event = await _read(session, inbox_event_id)
    if not await replay_in(runtime, session, inbox_event_id):
        raise ConflictError(f"Only a failed event can be retried; this one is {event.status}.")
    entry = AuditEntry(
        actor_id=actor.id,
        action="inbox_event.retried",
        target_type="inbox_event",
        target_id=str(inbox_event_id),
        client=actor.client,
    )
    await runtime.audit.record(session, entry)
    return await _read(session, inbox_event_id)


async def _page(session: AsyncSession, page: PageParams, where: Sequence[ColumnElement[bool]]) -> Page[InboxEventRead]:
    # Payloads may be large, and no response shows them.
    without_payload = defer(InboxEvent.payload)  # type: ignore[arg-type]  # a column
    events = select(InboxEvent).options(without_payload).where(*where).order_by(col(InboxEvent.id).desc())
    found = await session.scalars(events.offset(page.skip).limit(page.limit))
    items = [InboxEventRead.model_validate(event) for event in found]
    total = (await session.scalars(select(func.count()).select_from(InboxEvent).where(*where))).one()
    return Page(items=items, total=total, skip=page.skip, limit=page.limit)


async def _read(session: AsyncSession, id_: UUID) -> InboxEventRead:
    event = await session.get(InboxEvent, id_, populate_existing=True)
    if event is None:
        raise NotFoundError("Inbox event", id_)
    return InboxEventRead.model_validate(event)
