"""Publish events: into the outbox with the transaction, and into the streams after the commit."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.database import after_commit
from app.core.ports.queue import Json
from app.core.ports.realtime import Recipients
from app.core.ports.streams import NewMessage, StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime.channels import Channels
from app.realtime.limits import MAX_EVENT_BYTES
from app.realtime.models import RealtimeOutboxEvent
from app.realtime.notes import RECHECK
from app.realtime.relay import Relay


class Publisher:
    """See `Realtime`."""

    def __init__(self, runtime: Runtime, relay: Relay) -> None:
        self._runtime = runtime
        self._relay = relay
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, session: AsyncSession, channel: Recipients, event: Mapping[str, Json]) -> None:
        """See `Realtime.publish`."""
        stream, _ = self._runtime.resource(Channels).stream(channel)
        row = RealtimeOutboxEvent(stream=stream, data=_serialized(event))
        message = NewMessage(str(row.id), row.stream, row.data)
        after_commit(session, lambda: self._relay.add(message))
        session.add(row)

    async def recheck(self, session: AsyncSession, channel: str) -> None:
        """See `Realtime.recheck`. During an outage, the regular authorization does it."""
        stream, _ = self._runtime.resource(Channels).stream(channel)
        after_commit(session, lambda: self._note(stream))

    async def finish(self) -> None:
        """Wait until every note has been sent."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _note(self, stream: str) -> None:
        task = asyncio.create_task(self._send_note(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_note(self, stream: str) -> None:
        with suppress(StreamsUnavailableError):
            await self._runtime.streams.note(stream, RECHECK)


def _serialized(event: Mapping[str, Json]) -> str:
    kind = event.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError("A realtime event needs a type, such as {'type': 'project.updated'}.")
    try:
        # Browsers reject NaN and infinity, which JSON does not have.
        data = to_json(dict(event), inf_nan_mode="null")
    except PydanticSerializationError as error:
        raise ValueError(f"The realtime event {kind!r} is not JSON: {error}") from error
    if len(data) > MAX_EVENT_BYTES:
        raise ValueError(
            f"The realtime event {kind!r} has {len(data)} bytes; {MAX_EVENT_BYTES} are allowed. Publish an id instead, "
            "with which clients load the rest."
        )
    return data.decode()
