"""The inbox: stores inbound webhook events first, and processes them afterwards.

Every webhook works this way: the route verifies the signature, calls `receive` and responds with 2xx. By then the event
is in the table, once, however often it is sent. A job passes it to its handler. The handler and the mark `done` are one
transaction, so that the handler's effect on the database happens exactly once, even if the process is killed. A handler
that calls other systems (`inbox_jobs`) runs without a transaction, at least once: it is idempotent.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.context import traceparent
from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.errors import BadRequestError
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.jobs.names import job_name
from app.core.manifest import InboxHandler, InboxJob, Payload, modules_of
from app.core.observability.error_summary import one_line
from app.core.ports.operations import InboxAttempt, WebhookReceipt
from app.core.ports.queue import Json, UuidText
from app.core.runtime import Runtime
from app.kit.backoff import backoff

logger = structlog.stdlib.get_logger(__name__)

MAX_EVENT_ID: Final = 255
MAX_ATTEMPTS: Final = 10
HANDLER_TIMEOUT = timedelta(seconds=60)
LEASE = timedelta(seconds=90)
"""Duration for which an event belongs to one process: longer than a handler may take."""
FIRST_RETRY_DELAY = timedelta(seconds=15)
MAX_RETRY_DELAY = timedelta(hours=1)
MAX_REPLAYED = 500
REPLAY_WINDOW = timedelta(days=7)
"""Age of the oldest event that `replay_exhausted` retries: one that always fails is not retried forever."""
_NO_SYNC: Final = {"synchronize_session": False}


class UnusableEventError(Exception):
    """Raised by a handler if a retry cannot help: the event fails at once, with this message."""


async def receive(
    runtime: Runtime, *, provider: str, event_id: str, payload: Mapping[str, Json], handler: InboxHandler | InboxJob
) -> bool:
    """Store a verified event in a transaction of its own, and enqueue its processing.

    Args:
        provider: the name of the system that sent it.
        event_id: the provider's id of the event. A second event with the same id is dropped.
        payload: the event, a JSON object.
        handler: one of a module's `inbox_handlers` or `inbox_jobs`.

    Returns:
        Whether the event is new.

    Raises:
        BadRequestError: the id or the payload is invalid.
        LookupError: no module lists the handler in its manifest.
    """
    _check(event_id, payload)
    name = job_name(handler)
    _find(runtime, name)
    id_ = uuid7()
    values = {"id": id_, "provider": provider, "event_id": event_id, "payload": dict(payload), "handler": name}
    values["traceparent"] = traceparent()
    receipt = WebhookReceipt(provider=provider)
    with runtime.telemetry.observe(receipt):
        async with runtime.database.transaction() as session:
            new = await insert_if_absent(session, InboxEvent, values, unique=("provider", "event_id"))
            if new:
                await runtime.queue.enqueue(session, process_inbox_event, str(id_), job_id=f"inbox:{id_}")
        receipt.is_new = new
    return new


async def process_inbox_event(runtime: Runtime, id_: UuidText) -> None:
    """Job: process an event, if it is due and no other process has it. Enqueued by `receive`."""
    claim = await _claim(runtime, UUID(id_))
    if claim is None:
        return
    operation = InboxAttempt(
        provider=claim.provider, handler=claim.handler, attempt=claim.attempt, traceparent=claim.traceparent
    )
    try:
        with runtime.telemetry.observe(operation):
            await _handle(runtime, claim)
    except Exception as error:  # noqa: BLE001 - any failure of a handler is stored with the event
        await _give_back(runtime, claim, error)


async def replay(runtime: Runtime, id_: UUID, *, now: bool = False) -> bool:
    """Retry a failed event, with all its attempts.

    Args:
        now: whether to make the first attempt before returning, instead of in a job.

    Returns:
        Whether there is a failed event with this id.
    """
    async with runtime.database.transaction() as session:
        found = await replay_in(runtime, session, id_, enqueue=not now)
    if found and now:
        await process_inbox_event(runtime, str(id_))
    return found


async def replay_in(runtime: Runtime, session: AsyncSession, id_: UUID, *, enqueue: bool = True) -> bool:
    """Make a failed event pending again, within a transaction. Return whether there is a failed event with this id."""
    failed = (col(InboxEvent.id) == id_, col(InboxEvent.status) == InboxStatus.FAILED)
    values = {"status": InboxStatus.PENDING, "attempts": 0, "next_attempt_at": utc_now(), "error": None}
    found = await set_where(session, *failed, **values)
    if found and enqueue:
        await runtime.queue.enqueue(session, process_inbox_event, str(id_), job_id=f"inbox:{id_}")
    return found


async def replay_exhausted(runtime: Runtime, provider: str) -> int:
    """Retry a provider's recent events that failed after all attempts, as in a long outage. Return their number.

    Events that failed with `UnusableEventError` are not retried, unless it was raised by the last attempt.
    """
    statement = (
        select(col(InboxEvent.id))
        .where(
            col(InboxEvent.provider) == provider,
            col(InboxEvent.status) == InboxStatus.FAILED,
            col(InboxEvent.attempts) >= MAX_ATTEMPTS,
            col(InboxEvent.received_at) >= utc_now() - REPLAY_WINDOW,
        )
        .order_by(col(InboxEvent.id))
        .limit(MAX_REPLAYED)
    )
    async with runtime.database.transaction() as session:
        ids = (await session.scalars(statement)).all()
        replayed = sum([await replay_in(runtime, session, id_) for id_ in ids])
    if replayed:
        logger.warning("inbox_events_replayed", provider=provider, events=replayed)
    return replayed


async def get_event(runtime: Runtime, id_: UUID) -> InboxEvent | None:
    """Return the event with this id."""
    async with runtime.database.reading() as session:
        return await session.get(InboxEvent, id_)


async def list_events(runtime: Runtime, *, status: InboxStatus | None = None, limit: int = 50) -> Sequence[InboxEvent]:
    """Return the newest events, of one status or of all."""
    statement = select(InboxEvent).order_by(col(InboxEvent.id).desc()).limit(limit)
    if status is not None:
        statement = statement.where(col(InboxEvent.status) == status)
    async with runtime.database.reading() as session:
        return (await session.scalars(statement)).all()


async def set_where(session: AsyncSession, *where: ColumnElement[bool], **values: object) -> bool:
    """Update the events that match every condition. Return whether there were any."""
    statement = update(InboxEvent).where(*where).values(**values)
    result = await session.execute(statement, execution_options=_NO_SYNC)
    return cast("CursorResult[object]", result).rowcount > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """An event that belongs to this process until its lease expires or a later attempt starts."""

    id: UUID
    provider: str
    handler: str
    payload: Payload
    attempt: int
    traceparent: str | None

    @property
    def holds(self) -> tuple[ColumnElement[bool], ...]:
        """The condition under which the event still belongs to this claim."""
        return (
            col(InboxEvent.id) == self.id,
            col(InboxEvent.status) == InboxStatus.PENDING,
            col(InboxEvent.attempts) == self.attempt,
        )


async def _claim(runtime: Runtime, id_: UUID) -> _Claim | None:
    now = utc_now()
    due = (
        col(InboxEvent.id) == id_,
        col(InboxEvent.status) == InboxStatus.PENDING,
        col(InboxEvent.next_attempt_at) <= now,
        col(InboxEvent.attempts) < MAX_ATTEMPTS,
    )
    statement = (
        update(InboxEvent)
        .where(*due)
        .values(attempts=col(InboxEvent.attempts) + 1, next_attempt_at=now + LEASE)
        .returning(
            col(InboxEvent.provider),
            col(InboxEvent.handler),
            col(InboxEvent.payload),
            col(InboxEvent.attempts),
            col(InboxEvent.traceparent),
        )
    )
    async with runtime.database.transaction() as session:
        row = (await session.execute(statement, execution_options=_NO_SYNC)).one_or_none()
    if row is None:
        return None
    provider, handler, payload, attempt, trace = row
    return _Claim(
        id=id_,
        provider=provider,
        handler=handler,
        payload=cast("Payload", payload),
        attempt=attempt,
        traceparent=trace,
    )


async def _handle(runtime: Runtime, claim: _Claim) -> None:
    handler, job = _find(runtime, claim.handler)
    async with asyncio.timeout(HANDLER_TIMEOUT.total_seconds()):
        if job is not None:
            await job(runtime, claim.payload)
        async with runtime.database.transaction() as session:
            # Marked first, which locks the row: another process with an expired claim waits here, then finds nothing.
            mine = await set_where(session, *claim.holds, status=InboxStatus.DONE, processed_at=utc_now(), error=None)
            if mine and handler is not None:
                await handler(runtime, session, claim.payload)


async def _give_back(runtime: Runtime, claim: _Claim, error: Exception) -> None:
    final = claim.attempt >= MAX_ATTEMPTS or isinstance(error, UnusableEventError)
    delay = backoff(claim.attempt, first=FIRST_RETRY_DELAY, longest=MAX_RETRY_DELAY)
    status = InboxStatus.FAILED if final else InboxStatus.PENDING
    reason = one_line(error)
    async with runtime.database.transaction() as session:
        await set_where(session, *claim.holds, status=status, error=reason, next_attempt_at=utc_now() + delay)
    log = logger.bind(provider=claim.provider, inbox_event=str(claim.id), attempt=claim.attempt, reason=reason)
    if final:
        log.error("inbox_event_failed", exc_info=None if isinstance(error, UnusableEventError) else error)
    else:
        log.warning("inbox_event_retried", seconds=round(delay.total_seconds()))


def _find(runtime: Runtime, name: str) -> tuple[InboxHandler | None, InboxJob | None]:
    """Return the handler of this name: one that works in the inbox's transaction, or one that works before it."""
    for module in modules_of(runtime):
        for handler in module.inbox_handlers:
            if job_name(handler) == name:
                return handler, None
        for job in module.inbox_jobs:
            if job_name(job) == name:
                return None, job
    raise LookupError(f"{name} is in no module's `inbox_handlers` or `inbox_jobs`; add it to the manifest.")


def _check(event_id: str, payload: Mapping[str, Json]) -> None:
    if not 1 <= len(event_id) <= MAX_EVENT_ID or not event_id.isprintable():
        raise BadRequestError(f"The event's id must be 1 to {MAX_EVENT_ID} printable characters.")
    if not isinstance(payload, Mapping):
        raise BadRequestError("The event must be a JSON object.")
    try:
        json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadRequestError("The event must be valid JSON.") from error
