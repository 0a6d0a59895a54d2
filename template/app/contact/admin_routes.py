"""Admin routes for the messages of the contact form."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query

from app.contact.administration import change_state
from app.contact.repository import ContactMessageRepository
from app.contact.schemas import ContactMessageRead, ContactMessageUpdate, ContactQuery
from app.core.admin_view import AdminView
from app.core.db.pagination import Page
from app.core.http.dependencies import ActorDep, RuntimeDep, SessionDep

router = APIRouter(prefix="/contact")

MESSAGES: Final = AdminView(
    title="Contact messages",
    path="/contact",
    columns=("created_at", "state", "name", "email", "subject"),
    label="name",
)


@router.get("")
async def list_contact_messages(
    session: SessionDep, query: Annotated[ContactQuery, Query()]
) -> Page[ContactMessageRead]:
    """List the messages of the contact form, newest first."""
    return await ContactMessageRepository(session).page(
        ContactMessageRead, query.page, search=query.search, filters=query.filters, sort=query.sort
    )


@router.get("/{message_id}")
async def get_contact_message(session: SessionDep, message_id: UUID) -> ContactMessageRead:
    """Get a message of the contact form."""
    return await ContactMessageRepository(session).read(message_id)


@router.patch("/{message_id}")
async def update_contact_message(
    runtime: RuntimeDep, session: SessionDep, actor: ActorDep, message_id: UUID, data: ContactMessageUpdate
) -> ContactMessageRead:
    """Change the state of a message: `new`, `answered` or `spam`.

    A message that is no spam after all is then sent to ADMIN_EMAIL and to the CRM.
    """
    await change_state(runtime, session, actor, message_id, data.state)
    return await ContactMessageRepository(session).read(message_id)
