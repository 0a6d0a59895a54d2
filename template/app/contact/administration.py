"""Changes of messages by administrators."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.contact.models import MessageState
from app.contact.planning import cancel_deliveries, plan_again
from app.contact.repository import ContactMessageRepository
from app.core.context import Actor
from app.core.db.models import utc_now
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime


async def change_state(
    runtime: Runtime, session: AsyncSession, actor: Actor, message_id: UUID, state: MessageState
) -> None:
    """Change the state of a message, and record who did it. An unchanged state leaves no record.

    Raises:
        NotFoundError: there is no such message.
    """
    messages = ContactMessageRepository(session)
    message = await messages.require_locked(message_id)
    before = message.state
    if before is state:
        return
    answered_at = utc_now() if state is MessageState.ANSWERED else None
    await messages.update(message, {"state": state, "answered_at": answered_at})
    if state is MessageState.SPAM:
        await cancel_deliveries(session, message_id)
    elif before is MessageState.SPAM:
        await plan_again(runtime, session, message)
    entry = AuditEntry(
        actor_id=actor.id,
        action="contact_message.updated",
        target_type="contact_message",
        target_id=str(message_id),
        client=actor.client,
        details={"from": before.value, "to": state.value},
    )
    await runtime.audit.record(session, entry)
