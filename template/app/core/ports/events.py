"""The port for domain events: how a module tells others what happened without importing them."""

from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession


class Event(BaseModel):
    """Base of every event. A subclass adds the facts as JSON-serialisable fields."""

    model_config = ConfigDict(frozen=True)


class UserNotice(Event):
    """A message to a user, which the email module sends. Without it, nothing is sent.

    Attributes:
        key: identifies the notice; a user receives a notice of a key once.
        text: paragraphs separated by empty lines.
        url: of a button with the text `label`. A path like `/invoices/7` is a link below PUBLIC_URL.
    """

    user_id: UUID
    key: str
    title: str
    text: str
    url: str | None = None
    label: str | None = None


class Events(Protocol):
    """An event bus: delivers events to the subscribers that the manifests list."""

    async def publish(self, session: AsyncSession, event: Event) -> None:
        """Enqueue one job per subscriber. The jobs leave when the session's transaction commits."""
        ...

    async def apply(self, session: AsyncSession, event: Event) -> None:
        """Call every subscriber now, inside the session's transaction: all of their writes commit, or none.

        For inbox handlers. The inbox marks the event as done in the same transaction, so the work must not be left to
        a queue that may lose it. If a subscriber raises, the inbox retries the whole event.
        """
        ...

    async def deliver(self, subscriber_name: str, payload: dict[str, Any]) -> None:
        """Call one subscriber with the event that the payload describes.

        Raises:
            LookupError: no manifest lists the subscriber, for example because it was renamed while the job waited.
        """
        ...
