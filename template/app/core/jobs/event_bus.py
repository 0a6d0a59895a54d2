"""The event bus: delivers events to the subscribers that the manifests list, through the queue."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.joined_database import JoinedDatabase
from app.core.manifest import Subscriber
from app.core.ports.events import Event, Events
from app.core.runtime import Runtime


class EventBus(Events):
    """An event bus that enqueues one job per subscriber, so that a failing subscriber doesn't affect the others."""

    def __init__(self, runtime: Runtime, subscribers: Sequence[Subscriber[Any]]) -> None:
        self._runtime = runtime
        self._subscribers = {subscriber.name: subscriber for subscriber in subscribers}

    async def publish(self, session: AsyncSession, event: Event) -> None:
        """See `Events.publish`."""
        for name, subscriber in self._subscribers.items():
            if subscriber.event is type(event):
                await self._runtime.queue.enqueue(session, deliver_event, name, event.model_dump(mode="json"))

    async def apply(self, session: AsyncSession, event: Event) -> None:
        """See `Events.apply`."""
        joined = copy(self._runtime)
        joined.database = JoinedDatabase(await session.connection(), session)
        for subscriber in self._subscribers.values():
            if subscriber.event is type(event):
                await subscriber.handler(joined, event)

    async def deliver(self, subscriber_name: str, payload: dict[str, Any]) -> None:
        """See `Events.deliver`."""
        subscriber = self._subscribers.get(subscriber_name)
        if subscriber is None:
            raise LookupError(f"No module lists the subscriber {subscriber_name}.")
        await subscriber.handler(self._runtime, subscriber.event.model_validate(payload))


async def deliver_event(runtime: Runtime, subscriber_name: str, payload: dict[str, Any]) -> None:
    """Job: call one subscriber. Enqueued by `EventBus.publish`."""
    await runtime.events.deliver(subscriber_name, payload)
