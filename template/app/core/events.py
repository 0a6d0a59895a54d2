"""Events: what a module tells the others without knowing them."""

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import JoinedDatabase

if TYPE_CHECKING:
    from app.core.runtime import Runtime


class Event(BaseModel):
    """Something that has happened. Subclasses add the facts, which have to be JSON."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Subscriber[E: Event]:
    """Who wants to know: `handler(runtime, event)` runs after the commit, and again if it fails."""

    event: type[E]
    handler: "Callable[[Runtime, E], Awaitable[None]]"

    @property
    def name(self) -> str:
        """Identifies the handler in a queue."""
        return f"{self.handler.__module__}.{self.handler.__qualname__}({self.event.__qualname__})"


class Events:
    """Hands each event to its subscribers through the queue, one job each, so that none can fail another's."""

    def __init__(self, runtime: "Runtime", subscribers: "Sequence[Subscriber[Any]]") -> None:
        self._runtime = runtime
        self._subscribers = {subscriber.name: subscriber for subscriber in subscribers}

    async def publish(self, session: AsyncSession, event: Event) -> None:
        """Queues one job for each subscriber; they leave when the session's transaction commits."""
        for name, subscriber in self._subscribers.items():
            if subscriber.event is type(event):
                await self._runtime.queue.enqueue(session, deliver_event, name, event.model_dump(mode="json"))

    async def apply(self, session: AsyncSession, event: Event) -> None:
        """Calls every subscriber now, as a part of the session's transaction: all that they write is kept, or nothing.

        For handlers of the inbox. Their event is done with the commit, so that nothing may be left to a queue that can
        lose it; and when a subscriber raises, the inbox tries the whole event again.
        """
        joined = copy(self._runtime)
        joined.database = JoinedDatabase(session, await session.connection())
        for subscriber in self._subscribers.values():
            if subscriber.event is type(event):
                await subscriber.handler(joined, event)

    async def deliver(self, subscriber_name: str, payload: dict[str, Any]) -> None:
        """Calls one subscriber with the event that the payload describes.

        Raises:
            LookupError: there is no such subscriber, as when it was renamed while the job waited.
        """
        subscriber = self._subscribers.get(subscriber_name)
        if subscriber is None:
            raise LookupError(f"No module lists the subscriber {subscriber_name}.")
        await subscriber.handler(self._runtime, subscriber.event.model_validate(payload))


async def deliver_event(runtime: "Runtime", subscriber_name: str, payload: dict[str, Any]) -> None:
    """The job behind `Events.publish`."""
    await runtime.events.deliver(subscriber_name, payload)
