"""Planning of what is sent because of a message: each email and webhook is one row, written with the message."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.contact.delivery import deliver_contact_message
from app.contact.models import ContactDelivery, ContactMessage, DeliveryKind, DeliveryState
from app.contact.recipients import may_be_confirmed
from app.contact.settings import ContactSettings
from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.runtime import Runtime


async def plan_deliveries(runtime: Runtime, session: AsyncSession, message: ContactMessage) -> None:
    """Plan the emails and the webhook of a new message. They are sent after the commit."""
    kinds = _internal_kinds(runtime)
    if await _is_confirmed(runtime, session, message):
        kinds = [*kinds, DeliveryKind.CONFIRMATION]
    await _plan(runtime, session, message, kinds)


async def plan_again(runtime: Runtime, session: AsyncSession, message: ContactMessage) -> None:
    """Plan what a message that was taken for spam did not cause. Its sender is not sent a confirmation any more."""
    await _plan(runtime, session, message, _internal_kinds(runtime))


async def cancel_deliveries(session: AsyncSession, message_id: UUID) -> None:
    """Remove what is not sent yet, since the message is spam. An attempt that has started may succeed."""
    statement = delete(ContactDelivery).where(
        col(ContactDelivery.message_id) == message_id, col(ContactDelivery.state) != DeliveryState.SENT
    )
    await session.execute(statement, execution_options={"synchronize_session": False})


def _internal_kinds(runtime: Runtime) -> list[DeliveryKind]:
    settings = runtime.resource(ContactSettings)
    wanted = {
        DeliveryKind.NOTIFICATION: bool(settings.ADMIN_EMAIL) and runtime.mail.is_available,
        DeliveryKind.WEBHOOK: bool(settings.CONTACT_WEBHOOK_URL),
    }
    return [kind for kind, is_wanted in wanted.items() if is_wanted]


async def _is_confirmed(runtime: Runtime, session: AsyncSession, message: ContactMessage) -> bool:
    if not runtime.resource(ContactSettings).CONTACT_SEND_CONFIRMATION or not runtime.mail.is_available:
        return False
    return await may_be_confirmed(session, runtime.settings.SECRET_KEY, message.email)


async def _plan(
    runtime: Runtime, session: AsyncSession, message: ContactMessage, kinds: Sequence[DeliveryKind]
) -> None:
    for kind in kinds:
        now, id_ = utc_now(), uuid7()
        values = {
            "id": id_,
            "created_at": now,
            "updated_at": now,
            "message_id": message.id,
            "kind": kind,
            "state": DeliveryState.PENDING,
            "due_at": now,
            "attempts": 0,
        }
        await insert_if_absent(session, ContactDelivery, values, unique=("message_id", "kind"))
        await runtime.queue.enqueue(
            session, deliver_contact_message, str(message.id), kind.value, job_id=f"contact:{kind.value}:{message.id}"
        )
