"""Calls of the admin routes for the inbox."""

from typing import Final
from uuid import uuid4

from app.core.inbox.models import InboxEvent, InboxStatus
from tests.users.admin_walk import Call, Calls, Scene


async def retry(scene: Scene) -> Call:
    """Retry a failed event."""
    event = InboxEvent(provider="acme", event_id=uuid4().hex, payload={}, handler="x", status=InboxStatus.FAILED)
    async with scene.runtime.database.transaction() as session:
        session.add(event)
    return Call(f"/inbox/{event.id}/retry")


CALLS: Final[Calls] = {"POST /inbox/{inbox_event_id}/retry": retry}
