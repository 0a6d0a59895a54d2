"""Deliveries of messages: emails and webhooks. Each is retried until it is sent or its attempts are used up.

The job that sends a delivery first is enqueued with the message. The sweeper sends what is due for a retry, and what
a killed process left behind.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlmodel import col

from app.contact.mails import send_confirmation, send_notification
from app.contact.models import REASON_LENGTH, ContactDelivery, ContactMessage, DeliveryKind, DeliveryState, MessageState
from app.contact.webhook import UndeliverableError, send_webhook
from app.core.db.models import utc_now
from app.core.jobs.options import job_options
from app.core.observability.error_summary import one_line
from app.core.ports.mail import MailRejectedError
from app.core.ports.queue import UuidText
from app.core.runtime import Runtime
from app.kit.backoff import backoff
from app.kit.periodic import repeating

logger = structlog.stdlib.get_logger(__name__)

MAX_ATTEMPTS: Final = 12
TIMEOUT: Final = timedelta(seconds=60)
LEASE: Final = timedelta(seconds=90)
"""Duration for which a delivery belongs to one process: longer than an attempt may take."""
FIRST_RETRY_DELAY: Final = timedelta(seconds=30)
MAX_RETRY_DELAY: Final = timedelta(hours=6)
INTERVAL: Final = timedelta(seconds=30)
BATCH: Final = 50
_NO_SYNC: Final = {"synchronize_session": False}
_SENDERS: Final = {
    DeliveryKind.NOTIFICATION: send_notification,
    DeliveryKind.CONFIRMATION: send_confirmation,
    DeliveryKind.WEBHOOK: send_webhook,
}


@job_options(attempts=1)
async def deliver_contact_message(runtime: Runtime, message_id: UuidText, kind: str) -> None:
    """Job: send an email or a webhook of a message, if it is due and no other process sends it."""
    claim = await _claim(
        runtime, col(ContactDelivery.message_id) == UUID(message_id), col(ContactDelivery.kind) == DeliveryKind(kind)
    )
    if claim is not None:
        await _attempt(runtime, claim)


async def deliver_due(runtime: Runtime, stop: asyncio.Event | None = None) -> int:
    """Send every delivery that is due, one after another, until none is left or `stop` is set. Return their number."""
    sent = 0
    statement = (
        select(col(ContactDelivery.id))
        .where(col(ContactDelivery.state) == DeliveryState.PENDING, col(ContactDelivery.due_at) <= utc_now())
        .order_by(col(ContactDelivery.due_at))
        .limit(BATCH)
    )
    while True:
        async with runtime.database.reading() as session:
            ids = (await session.scalars(statement)).all()
        for id_ in ids:
            if stop is not None and stop.is_set():
                return sent
            claim = await _claim(runtime, col(ContactDelivery.id) == id_)
            if claim is not None:
                sent += await _attempt(runtime, claim)
        if len(ids) < BATCH:
            return sent


async def retry_failed(runtime: Runtime) -> int:
    """Make every failed delivery due now, with all its attempts. Return their number."""
    statement = (
        update(ContactDelivery)
        .where(col(ContactDelivery.state) == DeliveryState.FAILED)
        .values(state=DeliveryState.PENDING, attempts=0, due_at=utc_now(), reason=None)
    )
    async with runtime.database.transaction() as session:
        result = await session.execute(statement, execution_options=_NO_SYNC)
    return cast("CursorResult[object]", result).rowcount


def delivering(runtime: Runtime) -> AbstractAsyncContextManager[None]:
    """Send due deliveries at once and then every 30 seconds, until the block ends.

    A delivery that is cut off at the end is due again when its lease expires.
    """
    return repeating(lambda stop: deliver_due(runtime, stop), interval=INTERVAL, failure="contact_sweep_failed")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """A delivery that belongs to this process until its lease expires."""

    id: UUID
    message_id: UUID
    kind: DeliveryKind
    attempt: int

    @property
    def holds(self) -> tuple[ColumnElement[bool], ...]:
        """The condition under which the delivery still belongs to this claim."""
        return (
            col(ContactDelivery.id) == self.id,
            col(ContactDelivery.state) == DeliveryState.PENDING,
            col(ContactDelivery.attempts) == self.attempt,
        )


async def _claim(runtime: Runtime, *which: ColumnElement[bool]) -> _Claim | None:
    now = utc_now()
    statement = (
        update(ContactDelivery)
        .where(*which, col(ContactDelivery.state) == DeliveryState.PENDING, col(ContactDelivery.due_at) <= now)
        .values(attempts=col(ContactDelivery.attempts) + 1, due_at=now + LEASE)
        .returning(
            col(ContactDelivery.id),
            col(ContactDelivery.message_id),
            col(ContactDelivery.kind),
            col(ContactDelivery.attempts),
        )
    )
    async with runtime.database.transaction() as session:
        row = (await session.execute(statement, execution_options=_NO_SYNC)).one_or_none()
    if row is None:
        return None
    return _Claim(id=row[0], message_id=row[1], kind=row[2], attempt=row[3])


async def _attempt(runtime: Runtime, claim: _Claim) -> bool:
    """Make an attempt and store its outcome. Return whether the delivery was sent."""
    try:
        async with asyncio.timeout(TIMEOUT.total_seconds()):
            await _SENDERS[claim.kind](runtime, await _message(runtime, claim))
    except (UndeliverableError, MailRejectedError) as error:
        await _store(runtime, claim, error, is_final=True)
    except Exception as error:  # noqa: BLE001 - any failure is stored with the delivery
        await _store(runtime, claim, error, is_final=claim.attempt >= MAX_ATTEMPTS)
    else:
        await _store(runtime, claim, None, is_final=True)
        return True
    return False


async def _message(runtime: Runtime, claim: _Claim) -> ContactMessage:
    async with runtime.database.reading() as session:
        message = await session.get(ContactMessage, claim.message_id)
    if message is None or message.state is MessageState.SPAM:
        raise UndeliverableError("The message is spam.")
    return message


async def _store(runtime: Runtime, claim: _Claim, error: Exception | None, *, is_final: bool) -> None:
    delay = backoff(claim.attempt, first=FIRST_RETRY_DELAY, longest=MAX_RETRY_DELAY)
    state = DeliveryState.SENT if error is None else DeliveryState.FAILED if is_final else DeliveryState.PENDING
    reason = None if error is None else one_line(error)[:REASON_LENGTH]
    statement = update(ContactDelivery).where(*claim.holds).values(state=state, due_at=utc_now() + delay, reason=reason)
    async with runtime.database.transaction() as session:
        result = await session.execute(statement, execution_options=_NO_SYNC)
    if not cast("CursorResult[object]", result).rowcount:
        return
    log = logger.bind(kind=claim.kind.value, message_id=str(claim.message_id), attempt=claim.attempt)
    if state is DeliveryState.SENT:
        log.info("contact_delivered")
    elif state is DeliveryState.FAILED:
        log.error("contact_delivery_failed", reason=reason)
    else:
        log.warning("contact_delivery_retried", reason=reason, seconds=round(delay.total_seconds()))
