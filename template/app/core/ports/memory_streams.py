"""Streams in this process, the default of the port."""

import secrets
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from app.core.ports.streams import GapError, NewMessage, Position, Retention, StreamListener, StreamMessage

DEDUPLICATION_SECONDS = 300.0


@dataclass(slots=True)
class _Stream:
    """A stream. Its first message is a mark, so that a position exists before anything was appended."""

    expires: float
    messages: deque[StreamMessage]
    ids: dict[str, float] = field(default_factory=dict)
    """Times at which the recent messages were appended."""


class MemoryStreams:
    """See `Streams`. Methods await nothing, so that calls don't interleave."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._listeners: dict[str, set[StreamListener]] = {}
        self._rooms: dict[str, dict[str, float]] = {}
        self._next_purge = 0.0

    async def append(self, messages: Sequence[NewMessage], retention: Retention) -> None:
        """See `Streams.append`."""
        for message in messages:
            self._append(message, retention, time.monotonic())

    async def read(self, stream: str, after: Position, limit: int) -> Sequence[StreamMessage]:
        """See `Streams.read`."""
        kept = self._find(stream, time.monotonic())
        if kept is None:
            raise GapError
        index = after.offset - kept.messages[0].position.offset
        if not 0 <= index < len(kept.messages) or kept.messages[index].position != after:
            raise GapError
        return list(islice(kept.messages, index + 1, index + 1 + limit))

    async def end(self, stream: str, lifetime: timedelta) -> Position:
        """See `Streams.end`."""
        return self._open(stream, time.monotonic(), lifetime).messages[-1].position

    async def touch(self, streams: Collection[str], lifetime: timedelta) -> None:
        """See `Streams.touch`."""
        now = time.monotonic()
        for stream in streams:
            if (kept := self._find(stream, now)) is not None:
                kept.expires = max(kept.expires, now + lifetime.total_seconds())

    async def follow(self, stream: str, listener: StreamListener) -> None:
        """See `Streams.follow`."""
        self._listeners.setdefault(stream, set()).add(listener)

    async def unfollow(self, stream: str, listener: StreamListener) -> None:
        """See `Streams.unfollow`."""
        listeners = self._listeners.get(stream, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(stream, None)

    async def note(self, stream: str, note: str) -> None:
        """See `Streams.note`."""
        for listener in tuple(self._listeners.get(stream, ())):
            listener.noted(stream, note)

    async def enter(self, rooms: Mapping[str, Collection[str]], lifetime: timedelta) -> None:
        """See `Streams.enter`."""
        expires = time.monotonic() + lifetime.total_seconds()
        for room, members in rooms.items():
            self._rooms.setdefault(room, {}).update(dict.fromkeys(members, expires))

    async def leave(self, room: str, members: Collection[str]) -> None:
        """See `Streams.leave`."""
        present = self._rooms.get(room, {})
        for member in members:
            present.pop(member, None)
        if not present:
            self._rooms.pop(room, None)

    async def members(self, room: str) -> Collection[str]:
        """See `Streams.members`."""
        now = time.monotonic()
        present = {member: expires for member, expires in self._rooms.get(room, {}).items() if expires > now}
        if present:
            self._rooms[room] = present
        else:
            self._rooms.pop(room, None)
        return list(present)

    def _append(self, new: NewMessage, retention: Retention, now: float) -> None:
        kept = self._open(new.stream, now, retention.lifetime)
        while kept.ids and next(iter(kept.ids.values())) < now - DEDUPLICATION_SECONDS:
            del kept.ids[next(iter(kept.ids))]
        if new.id in kept.ids:
            return
        kept.ids[new.id] = now
        previous = kept.messages[-1].position
        message = StreamMessage(Position(previous.offset + 1, _new_epoch()), previous, new.data)
        kept.messages.append(message)
        # One more than are delivered: whoever has the first one can read the others.
        while len(kept.messages) > retention.messages + 1:
            kept.messages.popleft()
        for listener in tuple(self._listeners.get(new.stream, ())):
            listener.received(new.stream, message)

    def _find(self, stream: str, now: float) -> _Stream | None:
        kept = self._streams.get(stream)
        return kept if kept is not None and kept.expires > now else None

    def _open(self, stream: str, now: float, lifetime: timedelta) -> _Stream:
        self._purge(now, lifetime)
        kept = self._find(stream, now)
        if kept is None:
            mark = Position(0, _new_epoch())
            kept = self._streams[stream] = _Stream(expires=0.0, messages=deque([StreamMessage(mark, mark, "")]))
        kept.expires = max(kept.expires, now + lifetime.total_seconds())
        return kept

    def _purge(self, now: float, lifetime: timedelta) -> None:
        """Remove expired streams, so often that at most as many expired ones are kept as a lifetime creates."""
        if now >= self._next_purge:
            self._next_purge = now + lifetime.total_seconds()
            self._streams = {name: kept for name, kept in self._streams.items() if kept.expires > now}


def _new_epoch() -> str:
    return str(secrets.randbits(52))
