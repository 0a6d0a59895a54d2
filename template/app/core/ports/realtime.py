"""The port for events that reach connected clients at once, and its implementation without connections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ports.queue import Json


@dataclass(frozen=True, slots=True)
class UserChannel:
    """The channel of one user, which only that user can subscribe to."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class Everyone:
    """The channel that every user can subscribe to."""


type Recipients = UserChannel | Everyone | str
"""A user, all users, or a channel that a module declares, such as `project:42`."""


class ChannelUser(Protocol):
    """A user who subscribes to a channel, such as `app.users.caller.Caller`."""

    @property
    def id(self) -> UUID:
        """The user's id."""
        ...

    @property
    def role(self) -> str:
        """The user's role."""
        ...

    @property
    def is_admin(self) -> bool:
        """Whether the user is an administrator."""
        ...

    def has_permission(self, permission: str) -> bool:
        """Return whether the user's role has the permission."""
        ...


class Realtime(Protocol):
    """Events for connected clients."""

    async def publish(self, session: AsyncSession, channel: Recipients, event: Mapping[str, Json]) -> None:
        """Publish an event when the session's transaction commits. On rollback it is dropped.

        Args:
            session: a writing session.
            channel: the recipients.
            event: a JSON object whose `type` names the kind of event, such as `project.updated`.

        Raises:
            LookupError: no module declares the channel.
            ValueError: the event has no `type`, is too long, or is not JSON.
            RuntimeError: the session is read-only and never commits.
        """
        ...

    async def recheck(self, session: AsyncSession, channel: str) -> None:
        """Authorize every subscriber of a declared channel again when the session's transaction commits.

        Call it where users lose access to what the channel is about. Subscribers who may no longer read are removed.

        Raises:
            LookupError: no module declares the channel.
            RuntimeError: the session is read-only and never commits.
        """
        ...


class NoRealtime:
    """See `Realtime`. There are no connections, so that nothing is published."""

    async def publish(self, session: AsyncSession, channel: Recipients, event: Mapping[str, Json]) -> None:
        """See `Realtime.publish`."""

    async def recheck(self, session: AsyncSession, channel: str) -> None:
        """See `Realtime.recheck`."""
