"""Queries on the messages of the contact form."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from app.contact.models import ContactDelivery, ContactMessage, DeliveryKind
from app.contact.schemas import ContactMessageRead
from app.core.db.list_options import Computed, Filter
from app.core.db.pagination import PageParams
from app.core.db.repository import Repository
from app.core.errors import NotFoundError


def _delivery(kind: DeliveryKind) -> Computed:
    state = select(col(ContactDelivery.state)).where(
        col(ContactDelivery.message_id) == col(ContactMessage.id), col(ContactDelivery.kind) == kind
    )
    return Computed(kind.value, state.scalar_subquery())


class ContactMessageRepository(Repository[ContactMessage]):
    """Messages, each with the states of its deliveries."""

    model = ContactMessage
    searchable: ClassVar = (
        col(ContactMessage.name),
        col(ContactMessage.email),
        col(ContactMessage.company),
        col(ContactMessage.subject),
        col(ContactMessage.message),
    )
    filters: ClassVar = {
        "state": Filter(col(ContactMessage.state)),
        "created_after": Filter(col(ContactMessage.created_at), "gt"),
        "created_before": Filter(col(ContactMessage.created_at), "lt"),
    }
    sortable: ClassVar = {"created_at": col(ContactMessage.created_at)}
    computed: ClassVar = tuple(map(_delivery, DeliveryKind))

    async def require_locked(self, message_id: UUID) -> ContactMessage:
        """Return a message, which no other transaction changes until this one ends.

        Raises:
            NotFoundError: there is no such message.
        """
        statement = select(ContactMessage).where(col(ContactMessage.id) == message_id).with_for_update()
        message = (await self.session.scalars(statement)).one_or_none()
        if message is None:
            raise NotFoundError("Message", message_id)
        return message

    async def read(self, message_id: UUID) -> ContactMessageRead:
        """Return a message as the list shows it.

        Raises:
            NotFoundError: there is no such message.
        """
        page = await self.page(ContactMessageRead, PageParams(0, 1), col(ContactMessage.id) == message_id)
        if not page.items:
            raise NotFoundError("Message", message_id)
        return page.items[0]
