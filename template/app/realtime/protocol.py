"""The messages of the protocol: JSON objects in text frames, told apart by their `type`."""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from app.core.ports.queue import Json
from app.core.ports.streams import Position, StreamMessage
from app.realtime.limits import MAX_CHANNEL_NAME, MAX_MESSAGE_BYTES

MAX_OFFSET: Final = 2**53 - 1
"""The largest integer that every JSON parser reads exactly."""

ChannelName = Annotated[str, Field(min_length=1, max_length=MAX_CHANNEL_NAME, examples=["project:42"])]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, description="Counts the events of the channel.")]
Epoch = Annotated[
    str, Field(min_length=1, max_length=32, description="Identifies the event at the offset. Opaque; store both.")
]


class Message(BaseModel):
    """A message of the protocol."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_text(self) -> str:
        """Return the message as JSON."""
        return self.model_dump_json(exclude_none=True)


class Subscribe(Message):
    """Subscribe to a channel. With the position of the last event, the events since then follow."""

    type: Literal["subscribe"]
    channel: ChannelName
    offset: Offset | None = None
    epoch: Epoch | None = None

    @model_validator(mode="after")
    def _check_position(self) -> Self:
        if (self.offset is None) != (self.epoch is None):
            raise ValueError("A position has an offset and an epoch.")
        return self

    @property
    def position(self) -> Position | None:
        """The position of the last event that the client has, if it has one."""
        return None if self.offset is None or self.epoch is None else Position(self.offset, self.epoch)


class Unsubscribe(Message):
    """Unsubscribe from a channel."""

    type: Literal["unsubscribe"]
    channel: ChannelName


class Authenticate(Message):
    """Continue with a new token of the same user."""

    type: Literal["authenticate"]
    token: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE_BYTES, repr=False)]


class Ping(Message):
    """Check that the other side is alive. It answers with `pong`."""

    type: Literal["ping"] = "ping"


class Pong(Message):
    """Answer a `ping`."""

    type: Literal["pong"] = "pong"


class Welcome(Message):
    """The first message of a connection.

    Attributes:
        heartbeat: seconds after which the server sends a `ping` at the latest.
    """

    type: Literal["welcome"] = "welcome"
    connection_id: str
    heartbeat: float


class Subscribed(Message):
    """The subscription to a channel begins at this position."""

    type: Literal["subscribed"] = "subscribed"
    channel: ChannelName
    offset: Offset
    epoch: Epoch


class Event(Message):
    """An event of a channel."""

    type: Literal["event"] = "event"
    channel: ChannelName
    offset: Offset
    epoch: Epoch
    event: Annotated[dict[str, Json], Field(description="The published object. Its `type` names the kind of event.")]


class Gap(Message):
    """Events of a channel are gone. Load the current state; the subscription continues at this position."""

    type: Literal["gap"] = "gap"
    channel: ChannelName
    offset: Offset
    epoch: Epoch


class Unsubscribed(Message):
    """The subscription to a channel has ended."""

    type: Literal["unsubscribed"] = "unsubscribed"
    channel: ChannelName
    reason: Literal["requested", "forbidden"]


class Presence(Message):
    """The users who are subscribed to a channel: all of them, or those who joined and left."""

    type: Literal["presence"] = "presence"
    channel: ChannelName
    present: list[str] | None = None
    joined: list[str] | None = None
    left: list[str] | None = None


class TokenExpiring(Message):
    """The token expires soon. Send a new one with `authenticate`, or the connection is closed with 4401."""

    type: Literal["token_expiring"] = "token_expiring"
    expires_in: Annotated[float, Field(description="Seconds.")]


class Authenticated(Message):
    """The new token is accepted."""

    type: Literal["authenticated"] = "authenticated"


class Reconnect(Message):
    """The server stops. Reconnect after the delay; each client gets another one."""

    type: Literal["reconnect"] = "reconnect"
    after: Annotated[float, Field(description="Seconds.")]


class Problem(Message):
    """A message of the client was refused. The connection remains open."""

    type: Literal["error"] = "error"
    code: str
    message: str
    channel: ChannelName | None = None


type ClientMessage = Subscribe | Unsubscribe | Authenticate | Ping | Pong
type ServerMessage = (
    Welcome
    | Subscribed
    | Event
    | Gap
    | Unsubscribed
    | Presence
    | TokenExpiring
    | Authenticated
    | Reconnect
    | Problem
    | Ping
    | Pong
)

CLIENT_MESSAGE: Final[TypeAdapter[ClientMessage]] = TypeAdapter(
    Annotated[Subscribe | Unsubscribe | Authenticate | Ping | Pong, Field(discriminator="type")]
)


def event_text(channel: str, message: StreamMessage) -> str:
    """Return an `Event` as JSON. The published object is JSON already, and parsing it again would be slow.

    Args:
        channel: as a JSON string, with its quotes.
        message: of the channel's stream.
    """
    position = message.position
    return (
        f'{{"type":"event","channel":{channel},"offset":{position.offset},"epoch":"{position.epoch}",'
        f'"event":{message.data}}}'
    )
