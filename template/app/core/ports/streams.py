"""The port for streams of messages: bounded histories that processes append to and follow."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a stream.

    Attributes:
        offset: counts the messages of the stream.
        epoch: identifies the message at the offset: another history of the same length has another one. Opaque.
    """

    offset: int
    epoch: str


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message of a stream.

    Attributes:
        previous: the position that the message directly follows.
    """

    position: Position
    previous: Position
    data: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to append.

    Attributes:
        id: a message whose id was appended in the last minutes is a duplicate, and dropped.
    """

    id: str
    stream: str
    data: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """Limits of a stream's history.

    Attributes:
        messages: the latest so many.
        lifetime: of a stream that nobody appends to or touches.
    """

    messages: int
    lifetime: timedelta


class GapError(Exception):
    """The position is not part of the stream's history: messages after it may be gone."""


class StreamsUnavailableError(Exception):
    """The server of the streams does not answer. The outcome of the last call is unknown."""


class StreamListener(Protocol):
    """A follower of streams. Its methods return at once."""

    def received(self, stream: str, message: StreamMessage) -> None:
        """Handle a message. Messages may be missing or repeated; `previous` tells."""
        ...

    def noted(self, stream: str, note: str) -> None:
        """Handle a note, which is not part of the history."""
        ...

    def interrupted(self) -> None:
        """Handle a broken connection that works again: messages and notes may have been missed."""
        ...


class Streams(Protocol):
    """Streams that processes share. Every method raises `StreamsUnavailableError`."""

    async def append(self, messages: Sequence[NewMessage], retention: Retention) -> None:
        """Append messages in their order. Where this fails, some may be appended: repeat it with the same ids."""
        ...

    async def read(self, stream: str, after: Position, limit: int) -> Sequence[StreamMessage]:
        """Return the next messages after a position, at most `limit`.

        Raises:
            GapError: the position is not part of the history.
        """
        ...

    async def end(self, stream: str, lifetime: timedelta) -> Position:
        """Return the position of the latest message, and keep the stream for at least another `lifetime`."""
        ...

    async def touch(self, streams: Collection[str], lifetime: timedelta) -> None:
        """Keep streams for at least another `lifetime`."""
        ...

    async def follow(self, stream: str, listener: StreamListener) -> None:
        """Report what is appended to the stream from now on."""
        ...

    async def unfollow(self, stream: str, listener: StreamListener) -> None:
        """Stop reporting."""
        ...

    async def note(self, stream: str, note: str) -> None:
        """Send a note to all who follow the stream now."""
        ...

    async def enter(self, rooms: Mapping[str, Collection[str]], lifetime: timedelta) -> None:
        """Add members to rooms, or keep them there. A member leaves after `lifetime` without another call.

        Args:
            rooms: the members by room. At most a thousand or so, since a server is asked for all at once.
        """
        ...

    async def leave(self, room: str, members: Collection[str]) -> None:
        """Remove members from a room."""
        ...

    async def members(self, room: str) -> Collection[str]:
        """Return the members of a room."""
        ...
