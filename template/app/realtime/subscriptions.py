"""The streams that this process follows for its connections, and the connections' places in them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from pydantic_core import to_json

from app.core.ports.streams import Position, StreamMessage
from app.realtime.channels import Subscribable
from app.realtime.connection import Connection, frame_of
from app.realtime.protocol import Gap, Presence, event_text


@dataclass(slots=True, eq=False)
class Subscription:
    """A connection's subscription to a channel.

    Attributes:
        position: of the last event that was sent.
        authorized_at: monotonic time of the last authorization.
        sees_presence: whether the list of present users was sent.
    """

    connection: Connection
    channel: Subscribable
    authorized_at: float
    position: Position
    sees_presence: bool = False

    def gap(self, position: Position) -> None:
        """Tell the client that events are missing before the position."""
        self.position = position
        self.connection.send(Gap(channel=self.channel.name, offset=position.offset, epoch=position.epoch))


@dataclass(slots=True, eq=False)
class FollowedStream:
    """A stream that at least one connection of this process is subscribed to.

    Attributes:
        users: connections that use it, or are about to.
        end: the position up to which events were sent; `None` until the stream is followed.
        live: subscriptions that get events as they arrive.
        is_behind: whether something arrived that does not follow `end`.
        members: this process's connections for each present user.
        present: the ids of all present users, as last sent.
        entering: held while this process changes its own members of the room.
    """

    name: str
    channel: Subscribable
    users: int = 0
    end: Position | None = None
    live: dict[Connection, Subscription] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_behind: bool = False
    repair: asyncio.Task[None] | None = None
    members: Counter[str] = field(default_factory=Counter)
    present: frozenset[str] = frozenset()
    entering: asyncio.Lock = field(default_factory=asyncio.Lock)
    quoted: str = ""

    def __post_init__(self) -> None:
        """Quote the channel's name once for all events."""
        self.quoted = to_json(self.channel.name).decode()

    def deliver(self, message: StreamMessage) -> None:
        """Send an event to every live subscription."""
        frame = frame_of(event_text(self.quoted, message))
        self.end = position = message.position
        for connection, subscription in self.live.items():
            # A subscription that has just caught up may be ahead.
            if subscription.position.offset < position.offset:
                subscription.position = position
                connection.push(frame)

    def skip_to(self, position: Position) -> None:
        """Tell every live subscription that events are missing."""
        self.end = position
        for subscription in self.live.values():
            subscription.gap(position)

    def show(self, present: frozenset[str]) -> None:
        """Tell the subscribers which users have joined and left."""
        joined, left = sorted(present - self.present), sorted(self.present - present)
        self.present = present
        if joined or left:
            change = Presence(channel=self.channel.name, joined=joined or None, left=left or None)
            for connection, subscription in self.live.items():
                if subscription.sees_presence:
                    connection.send(change)
