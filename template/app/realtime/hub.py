"""The subscriptions of this process: every event reaches every subscription once and in order, or it gets a `gap`."""

import asyncio
import math
import time
from collections.abc import Coroutine
from contextvars import Context

import structlog

from app.core.http.server.state import Drain
from app.core.ports.streams import GapError, Position, StreamMessage, StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime.channels import Subscribable
from app.realtime.connection import Connection, frame_of
from app.realtime.limits import AUTHORIZE_TIMEOUT, PAGE_SIZE, RETRY_DELAY
from app.realtime.notes import PRESENCE, RECHECK
from app.realtime.presence import Roster
from app.realtime.protocol import Subscribed, Unsubscribed, event_text
from app.realtime.settings import RealtimeSettings
from app.realtime.subscriptions import FollowedStream, Subscription

logger = structlog.stdlib.get_logger(__name__)


class Hub:
    """A listener to streams that passes messages on to connections. See `StreamListener`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lifetime = runtime.resource(RealtimeSettings).retention.lifetime
        self._followed: dict[str, FollowedStream] = {}
        self._subscriptions: dict[Connection, dict[str, Subscription]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.roster = Roster(runtime)
        self.drain = Drain()
        """Whether the server is about to stop; the server's own object once there is a connection."""

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The open connections."""
        return tuple(self._subscriptions)

    def has(self, connection: Connection) -> bool:
        """Return whether a connection is open."""
        return connection in self._subscriptions

    def subscriptions_of(self, connection: Connection) -> tuple[Subscription, ...]:
        """Return the subscriptions of a connection."""
        return tuple(self._subscriptions.get(connection, {}).values())

    def add(self, connection: Connection) -> None:
        """Add an accepted connection."""
        self._subscriptions[connection] = {}

    async def remove(self, connection: Connection) -> None:
        """Remove a connection and its subscriptions."""
        subscriptions = self._subscriptions.pop(connection, {})
        for subscription in subscriptions.values():
            await self._leave(subscription)

    async def subscribe(self, connection: Connection, channel: Subscribable, position: Position | None) -> None:
        """Subscribe an authorized connection to a channel, and send what it has missed since the position.

        Raises:
            StreamsUnavailableError: the streams are unavailable. The connection is not subscribed.
        """
        stream = await self._open(channel)
        start = position or _end(stream)
        subscription = Subscription(connection, channel, time.monotonic(), start)
        try:
            connection.send(Subscribed(channel=channel.name, offset=start.offset, epoch=start.epoch))
            await self._catch_up(stream, subscription)
            self._subscriptions[connection][channel.name] = subscription
            # Nothing is awaited between the end of catching up and here, so that no event is missed.
            stream.live[connection] = subscription
        except BaseException:
            await self._release(stream)
            raise
        if channel.has_presence:
            await self.roster.join(stream, subscription)

    async def unsubscribe(self, subscription: Subscription, *, forbidden: bool = False) -> None:
        """End a subscription and tell the client."""
        connection, name = subscription.connection, subscription.channel.name
        if self._subscriptions.get(connection, {}).pop(name, None) is not None:
            connection.send(Unsubscribed(channel=name, reason="forbidden" if forbidden else "requested"))
            await self._leave(subscription)

    def received(self, stream: str, message: StreamMessage) -> None:
        """See `StreamListener.received`."""
        followed = self._followed.get(stream)
        if followed is None or message.position == followed.end:
            return
        if followed.end is not None and followed.repair is None and message.previous == followed.end:
            followed.deliver(message)
        else:
            self._repair(followed)

    def noted(self, stream: str, note: str) -> None:
        """See `StreamListener.noted`."""
        followed = self._followed.get(stream)
        if followed is not None and note == PRESENCE:
            self._start(self.roster.refresh(followed))
        elif followed is not None and note == RECHECK:
            self._start(self.authorize(tuple(followed.live.values())))

    def interrupted(self) -> None:
        """See `StreamListener.interrupted`."""
        for followed in self._followed.values():
            self._repair(followed)

    async def authorize(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Authorize subscriptions again, and end those that are no longer allowed.

        Where the authorization fails, the subscription stays, and is due again at once.
        """
        for subscription in subscriptions:
            began = time.monotonic()
            try:
                async with asyncio.timeout(AUTHORIZE_TIMEOUT):
                    is_allowed = await subscription.channel.admits(self._runtime, subscription.connection.caller)
            except Exception as error:  # noqa: BLE001 - a module's function: the other subscriptions must not wait for it
                subscription.authorized_at = -math.inf
                logger.warning("realtime_authorization_failed", error=type(error).__name__)
                continue
            subscription.authorized_at = began
            if not is_allowed:
                await self.unsubscribe(subscription, forbidden=True)

    async def keep(self) -> None:
        """Keep the history of the followed streams."""
        await self._runtime.streams.touch(list(self._followed), self._lifetime)

    @property
    def followed(self) -> tuple[str, ...]:
        """The streams that at least one connection is subscribed to."""
        return tuple(self._followed)

    @property
    def rooms(self) -> tuple[FollowedStream, ...]:
        """The followed streams whose subscribers see each other."""
        return tuple(stream for stream in self._followed.values() if stream.channel.has_presence)

    async def stop(self) -> None:
        """Cancel what still runs."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _open(self, channel: Subscribable) -> FollowedStream:
        followed = self._followed.setdefault(channel.stream, FollowedStream(channel.stream, channel))
        followed.users += 1
        try:
            async with followed.lock:
                if followed.end is None:
                    await self._runtime.streams.follow(followed.name, self)
                    followed.end = await self._runtime.streams.end(followed.name, self._lifetime)
                    if followed.is_behind:
                        self._repair(followed)
        except BaseException:
            await self._release(followed)
            raise
        return followed

    async def _release(self, followed: FollowedStream) -> None:
        """Stop following a stream that no connection uses."""
        followed.users -= 1
        async with followed.lock:
            if followed.users == 0 and self._followed.get(followed.name) is followed:
                del self._followed[followed.name]
                try:
                    await self._runtime.streams.unfollow(followed.name, self)
                except StreamsUnavailableError:
                    # The listener follows again only what is still wanted.
                    logger.debug("unfollow_failed")

    async def _leave(self, subscription: Subscription) -> None:
        followed = self._followed.get(subscription.channel.stream)
        if followed is not None and followed.live.pop(subscription.connection, None) is not None:
            if subscription.channel.has_presence:
                await self.roster.leave(followed, subscription)
            await self._release(followed)

    async def _catch_up(self, followed: FollowedStream, subscription: Subscription) -> None:
        """Send events after the subscription's position until it has reached the end."""
        while subscription.position != followed.end and not subscription.connection.is_closing:
            try:
                messages = await self._runtime.streams.read(followed.name, subscription.position, PAGE_SIZE)
            except GapError:
                subscription.gap(await self._runtime.streams.end(followed.name, self._lifetime))
                continue
            for message in messages:
                subscription.connection.push(frame_of(event_text(followed.quoted, message)))
                subscription.position = message.position
                await subscription.connection.drained()
            if not messages and subscription.position.offset >= _end(followed).offset:
                return
            if not messages:
                # The stream is shorter than this process knows: its history was lost.
                await asyncio.wait({self._repair(followed)})

    def _repair(self, followed: FollowedStream) -> asyncio.Task[None]:
        """Read what is missing between `end` and the messages that arrive."""
        followed.is_behind = True
        if followed.repair is None:
            followed.repair = self._start(self._read_missing(followed))
        return followed.repair

    async def _read_missing(self, followed: FollowedStream) -> None:
        try:
            while followed.end is not None and followed.is_behind:
                followed.is_behind = False
                try:
                    messages = await self._runtime.streams.read(followed.name, followed.end, PAGE_SIZE)
                except GapError:
                    followed.skip_to(await self._runtime.streams.end(followed.name, self._lifetime))
                    continue
                for message in messages:
                    followed.deliver(message)
                followed.is_behind |= bool(messages)
        except StreamsUnavailableError:
            # `interrupted` starts another repair once the connection works again; this one covers a short failure.
            followed.is_behind = True
            asyncio.get_running_loop().call_later(RETRY_DELAY, self._retry, followed)
        finally:
            followed.repair = None

    def _retry(self, followed: FollowedStream) -> None:
        if self._followed.get(followed.name) is followed and followed.is_behind:
            self._repair(followed)

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        # An empty context: the task is not part of the request that caused it.
        task = asyncio.create_task(_logged(work), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _end(followed: FollowedStream) -> Position:
    if followed.end is None:
        raise RuntimeError("The stream is not followed yet.")
    return followed.end


async def _logged(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except StreamsUnavailableError:
        logger.warning("realtime_streams_unavailable")
    except Exception:
        logger.exception("realtime_task_failed")
