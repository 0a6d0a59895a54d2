"""Servers and clients of the tests, over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.core.db.models import utc_now
from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.protocol import LimitedConfig
from app.core.http.server.server import LimitedServer
from app.core.manifest import Channel, Module
from app.core.ports.memory_streams import MemoryStreams
from app.core.ports.realtime import ChannelUser
from app.core.ports.streams import Retention, StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime.hub import Hub
from app.realtime.monitor import Monitor
from app.realtime.relay import Relay
from app.realtime.settings import RealtimeSettings
from tests.conftest import ME, SignIn

TIMEOUT = 30.0


@dataclass
class Rooms:
    """Members of each room; stands for the table of a module.

    Attributes:
        hold: cleared while the table does not answer.
        fails: whether the table raises.
    """

    members: dict[str, set[UUID]] = field(default_factory=dict)
    fails: bool = False
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Answer at once."""
        self.hold.set()

    async def admits(self, _runtime: Runtime, user: ChannelUser, parameters: Any) -> bool:  # noqa: ANN401
        """Whether the user is in the room."""
        await self.hold.wait()
        if self.fails:
            raise OSError
        return user.id in self.members.get(parameters["id"], set())


def rooms_module(rooms: Rooms) -> Module:
    """A module with two kinds of channels: `room:{id}` and, with presence, `lobby:{id}`."""

    async def anyone(_runtime: Runtime, _user: ChannelUser, _parameters: Any) -> bool:  # noqa: ANN401
        return True

    return Module(
        name="rooms",
        channels=(
            Channel(pattern="room:{id}", authorize=rooms.admits),
            Channel(pattern="lobby:{id}", authorize=anyone, presence=True),
        ),
    )


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[tuple[str, LimitedServer]]:
    """The address of a server on the loopback interface, and the server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = LimitedServer(
            LimitedConfig(
                app,
                limits=ConnectionLimits(drain_delay=60),
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=5,
            )
        )
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}/api/v1/app/ws", server
        finally:
            server.should_exit = True
            await task


class Client:
    """A client of the protocol."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def send(self, **message: object) -> None:
        """Send a message."""
        await self.websocket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(TIMEOUT):
            message: dict[str, Any] = json.loads(await self.websocket.recv())
            return message

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next message, which is of this type."""
        message = await self.receive()
        assert message["type"] == kind, message
        return message

    async def subscribe(self, channel: str, after: dict[str, Any] | None = None) -> dict[str, Any]:
        """Subscribe, if need be after the position of a message."""
        position = {} if after is None else {"offset": after["offset"], "epoch": after["epoch"]}
        await self.send(type="subscribe", channel=channel, **position)
        return await self.expect("subscribed")

    async def closed(self) -> int | None:
        """The code of the close frame, once it has come; what comes before is dropped."""
        async with asyncio.timeout(TIMEOUT):
            try:
                while True:
                    await self.websocket.recv()
            except ConnectionClosed:
                return self.websocket.close_code


@asynccontextmanager
async def opened(url: str, headers: dict[str, str] | None = None, **options: Any) -> AsyncIterator[Client]:  # noqa: ANN401
    """A connected client that has been welcomed."""
    async with connect(url, additional_headers=headers, proxy=None, **options) as websocket:
        client = Client(websocket)
        await client.expect("welcome")
        yield client


class BreakableStreams:
    """Streams in memory that can be taken away; see `Streams`."""

    def __init__(self) -> None:
        self.inner = MemoryStreams()
        self.available = self.audible = True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """The method of the same name."""

        async def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            if not self.available:
                raise StreamsUnavailableError
            listeners = self.inner._listeners  # noqa: SLF001 - their connection is broken
            if not self.audible:
                self.inner._listeners = {}  # noqa: SLF001
            try:
                return await getattr(self.inner, name)(*args, **options)
            finally:
                self.inner._listeners = listeners  # noqa: SLF001

        return call


@dataclass
class Site:
    """A server with its runtime, and users.

    Attributes:
        url: of the WebSocket.
    """

    runtime: Runtime
    url: str
    server: LimitedServer
    http: httpx.AsyncClient
    sign_in: SignIn
    rooms: Rooms
    relay: Relay
    monitor: Monitor
    streams: BreakableStreams

    @property
    def hub(self) -> Hub:
        """The server's connections."""
        return self.runtime.resource(Hub)

    @property
    def retention(self) -> Retention:
        """The history of each channel."""
        return self.runtime.resource(RealtimeSettings).retention

    def now(self) -> datetime:
        """The time."""
        return utc_now()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return when something is so that nothing reports."""
        async with asyncio.timeout(TIMEOUT):
            while not reached():  # noqa: ASYNC110 - nothing reports it
                await asyncio.sleep(0.01)

    async def looked(self) -> None:
        """Return when the accounts of all connected users are known."""
        await self.until(lambda: not any(each.is_new for each in self.hub.connections))

    async def relayed(self) -> None:
        """Return when every committed event is in its stream."""
        await self.relay.flush()

    async def renew(self) -> None:
        """Renew leases, as happens every few seconds."""
        await self.monitor.renew()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Have every call to the streams fail."""
        self.streams.available = False
        yield
        self.streams.available = True

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Have followers hear nothing."""
        self.streams.audible = False
        yield
        self.streams.audible = True

    def lose_history(self) -> None:
        """Lose every stream, as a server does that restarts without its data."""
        self.streams.inner = MemoryStreams()
        for stream in self.hub.followed:
            self.streams.inner._listeners[stream] = {self.hub}  # noqa: SLF001 - they reconnected

    async def user(self, email: str = "user@example.com", **options: str) -> tuple[UUID, dict[str, str]]:
        """A user's id and headers."""
        headers = await self.sign_in(email=email, **options)
        return UUID((await self.http.get(ME, headers=headers)).json()["id"]), headers

    async def publish(self, channel: Any, *events: dict[str, Any]) -> None:  # noqa: ANN401
        """Publish events, each in a transaction of its own."""
        for event in events:
            async with self.runtime.database.transaction() as session:
                await self.publish_in(session, channel, event)

    async def publish_in(self, session: AsyncSession, channel: Any, event: dict[str, Any]) -> None:  # noqa: ANN401
        """Publish an event in a transaction."""
        await self.runtime.realtime.publish(session, channel, event)
