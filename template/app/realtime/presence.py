"""Presence: which users are subscribed to a channel, in any process. A lease ends the presence of a killed process."""

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Final

from app.core.ports.streams import StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime.limits import PRESENCE_LEASE
from app.realtime.notes import PRESENCE
from app.realtime.protocol import Presence
from app.realtime.subscriptions import FollowedStream, Subscription

LEASE: Final = timedelta(seconds=PRESENCE_LEASE)


class Roster:
    """The present users of the channels that this process follows.

    A member of a room is a user and a process: `<user id> <process id>`. Two connections of a user to one process are
    one member.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._process = secrets.token_hex(8)

    async def join(self, followed: FollowedStream, subscription: Subscription) -> None:
        """Add a subscriber and send it the list of all present users. During an outage, `renew` does it later."""
        user = str(subscription.connection.caller.id)
        followed.members[user] += 1
        with suppress(StreamsUnavailableError):
            if followed.members[user] == 1:
                await self._announce(followed, user)
            await self.refresh(followed)

    async def leave(self, followed: FollowedStream, subscription: Subscription) -> None:
        """Remove a subscriber. During an outage, the lease expires instead."""
        user = str(subscription.connection.caller.id)
        followed.members[user] -= 1
        if followed.members[user] > 0:
            return
        del followed.members[user]
        with suppress(StreamsUnavailableError):
            await self._announce(followed, user)

    async def renew(self, followed: FollowedStream) -> None:
        """Renew the leases of this process's subscribers, and report users whose leases have expired."""
        async with followed.entering:
            if followed.members:
                members = [self._member(user) for user in followed.members]
                await self._runtime.streams.enter({followed.name: members}, LEASE)
        await self.refresh(followed)

    async def refresh(self, followed: FollowedStream) -> None:
        """Report which users have joined and left since the last time."""
        # One at a time: an older list must not replace a newer one.
        async with followed.lock:
            members = await self._runtime.streams.members(followed.name)
            followed.show(frozenset(member.partition(" ")[0] for member in members))
        # To subscribers that have none, the whole list.
        everyone = Presence(channel=followed.channel.name, present=sorted(followed.present))
        for connection, subscription in followed.live.items():
            if not subscription.sees_presence:
                subscription.sees_presence = True
                connection.send(everyone)

    async def _announce(self, followed: FollowedStream, user: str) -> None:
        """Enter or leave the room, whichever is right by now, and have every process look."""
        # One at a time: a late "leave" must not end the presence of a user who has reconnected meanwhile.
        async with followed.entering:
            if user in followed.members:
                await self._runtime.streams.enter({followed.name: [self._member(user)]}, LEASE)
            else:
                await self._runtime.streams.leave(followed.name, [self._member(user)])
        await self._runtime.streams.note(followed.name, PRESENCE)

    def _member(self, user: str) -> str:
        return f"{user} {self._process}"
