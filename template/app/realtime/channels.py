"""Channels: their names in messages, their streams, and the patterns that modules declare."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.core.manifest import Channel
from app.core.ports.realtime import ChannelUser, Everyone, Recipients, UserChannel
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.realtime.limits import MAX_CHANNEL_NAME

USER: Final = "user"
"""The name by which clients subscribe to their own channel."""
EVERYONE: Final = "everyone"
_PARAMETER: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]*(?::(?:[a-z0-9_-]+|\{[a-z_][a-z0-9_]*\}))*")


@dataclass(frozen=True, slots=True)
class Subscribable:
    """A channel that a client names.

    Attributes:
        name: in messages.
        stream: the stream of its events.
        parameters: the values in the name.
        declared: the declaration; `None` for the built-in channels, which need no authorization.
    """

    name: str
    stream: str
    parameters: Mapping[str, str]
    declared: Channel | None = None

    @property
    def has_presence(self) -> bool:
        """Whether subscribers see each other."""
        return self.declared is not None and self.declared.presence

    async def admits(self, runtime: Runtime, user: ChannelUser) -> bool:
        """Return whether the user may read the channel."""
        return self.declared is None or await self.declared.authorize(runtime, user, self.parameters)


class Channels:
    """The channels that the modules declare.

    Raises:
        UserError: a pattern is malformed.
    """

    def __init__(self, declared: Iterable[Channel]) -> None:
        self.declared = tuple(declared)
        self._patterns = [(_compiled(channel.pattern), channel) for channel in self.declared]

    def find(self, name: str, user_id: UUID) -> Subscribable | None:
        """Return the channel that a client names, or `None` if there is none."""
        if name == USER:
            return Subscribable(USER, _user_stream(user_id), {})
        if name == EVERYONE:
            return Subscribable(EVERYONE, EVERYONE, {})
        return self._declared(name)

    def stream(self, recipients: Recipients) -> tuple[str, str]:
        """Return the stream of a channel and its name in messages.

        Raises:
            LookupError: no module declares the channel.
        """
        match recipients:
            case UserChannel(user_id):
                return _user_stream(user_id), USER
            case Everyone():
                return EVERYONE, EVERYONE
            case name:
                channel = self._declared(name)
                if channel is None:
                    raise LookupError(f"No module declares a channel like {name!r}; add a Channel to its manifest.")
                return channel.stream, channel.name

    def _declared(self, name: str) -> Subscribable | None:
        if len(name) > MAX_CHANNEL_NAME or not name.isprintable():
            return None
        for expression, channel in self._patterns:
            if (match := expression.fullmatch(name)) is not None:
                return Subscribable(name, f"channel:{name}", match.groupdict(), channel)
        return None


def _user_stream(user_id: UUID) -> str:
    return f"user:{user_id}"


def _compiled(pattern: str) -> re.Pattern[str]:
    if not _PATTERN.fullmatch(pattern) or pattern in {USER, EVERYONE}:
        raise UserError(
            f"{pattern!r} is not the pattern of a channel: use words and parameters with colons between them, such as "
            f"project:{{id}}. {USER} and {EVERYONE} are built in."
        )
    names = _PARAMETER.findall(pattern)
    if len(set(names)) < len(names):
        raise UserError(f"The pattern {pattern!r} has two parameters of the same name.")
    return re.compile(_PARAMETER.sub(r"(?P<\1>[^:]+)", pattern))
