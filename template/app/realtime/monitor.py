"""The regular work on all connections of a process: one task instead of several for each connection."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from itertools import batched
from typing import Final

import structlog

from app.core.ports.streams import StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime.access import AccessWatch
from app.realtime.close_codes import NO_HEARTBEAT, RESTART, TOKEN_EXPIRED, TOO_SLOW
from app.realtime.connection import Connection, frame_of
from app.realtime.hub import Hub
from app.realtime.limits import (
    ACCESS_INTERVAL,
    AUTHORIZE_INTERVAL,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_TIMEOUT,
    PRESENCE_INTERVAL,
    PRESENCE_LEASE,
    RECONNECT_SPREAD,
    TOKEN_NOTICE,
)
from app.realtime.protocol import Ping, Reconnect, TokenExpiring

logger = structlog.stdlib.get_logger(__name__)

LEASE: Final = timedelta(seconds=PRESENCE_LEASE)
RENEWED_AT_ONCE: Final = 500
_PING: Final = frame_of(Ping().to_text())


class Monitor:
    """The regular work: heartbeats, expiring tokens, access, presence and the history of followed channels."""

    def __init__(self, runtime: Runtime, hub: Hub) -> None:
        self._runtime = runtime
        self._hub = hub
        self._access = AccessWatch(runtime)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the end of the block."""
        work = (
            (self.beat, 1.0),
            (self.watch_access, ACCESS_INTERVAL),
            # Apart from the heartbeats and the expiry of tokens, which a module's slow authorization must not delay.
            (self.authorize_again, 1.0),
            (self.renew, PRESENCE_INTERVAL),
        )
        tasks = [asyncio.create_task(_repeat(step, interval), context=Context()) for step, interval in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def beat(self) -> None:
        """Send heartbeats, ask for new tokens, and close connections that have timed out or expired."""
        now, wall = time.monotonic(), time.time()
        for connection in self._hub.connections:
            if self._hub.drain.began and not connection.is_closing:
                connection.send(Reconnect(after=round(random.uniform(0, RECONNECT_SPREAD), 2)))  # noqa: S311 - no secret
                connection.close(RESTART)
            elif now - connection.heard_at > HEARTBEAT_TIMEOUT:
                connection.close(NO_HEARTBEAT)
            elif connection.is_stuck(now):
                connection.close(TOO_SLOW)
            elif now - connection.pinged_at >= HEARTBEAT_INTERVAL:
                # Not all at once: connections that began together drift apart.
                connection.pinged_at = now - random.uniform(0, HEARTBEAT_INTERVAL / 10)  # noqa: S311 - no secret
                connection.push(_PING)
            _check_expiry(connection, wall)

    async def watch_access(self) -> None:
        """Close the connections of users who have been deactivated, or whose rights have changed or ended."""
        if connections := self._hub.connections:
            await self._access.check(connections)

    async def renew(self) -> None:
        """Renew the leases of connections and of presence, and keep the history of followed channels."""
        for batch in batched(self._hub.connections, RENEWED_AT_ONCE):
            await self._renew_leases([connection for connection in batch if self._hub.has(connection)])
        for followed in self._hub.rooms:
            await self._hub.roster.renew(followed)
        await self._hub.keep()

    async def _renew_leases(self, connections: Sequence[Connection]) -> None:
        rooms: dict[str, list[str]] = {}
        for connection in connections:
            rooms.setdefault(connection.room, []).append(connection.id)
        await self._runtime.streams.enter(rooms, LEASE)
        for connection in connections:
            if not self._hub.has(connection):
                # It was closed meanwhile, and must not count for the length of a lease.
                await self._runtime.streams.leave(connection.room, [connection.id])

    async def authorize_again(self) -> None:
        """Authorize the subscriptions again whose last authorization is too long ago."""
        now = time.monotonic()
        for connection in self._hub.connections:
            due = [
                subscription
                for subscription in self._hub.subscriptions_of(connection)
                if subscription.channel.declared is not None and now - subscription.authorized_at > AUTHORIZE_INTERVAL
            ]
            if due:
                await self._hub.authorize(tuple(due))


def _check_expiry(connection: Connection, wall: float) -> None:
    if connection.expires_at is None:
        return
    left = connection.expires_at - wall
    if left <= 0:
        connection.close(TOKEN_EXPIRED)
    elif left <= TOKEN_NOTICE and not connection.notified_of_expiry:
        connection.notified_of_expiry = True
        connection.send(TokenExpiring(expires_in=round(left, 1)))


async def _repeat(step: Callable[[], Awaitable[None]], interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        try:
            await step()
        except StreamsUnavailableError:
            logger.debug("realtime_streams_unavailable")
        except Exception:
            logger.exception("realtime_monitor_failed")
