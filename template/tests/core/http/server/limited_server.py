"""A server with limits on a real socket, and its clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.protocol import LimitedConfig
from app.core.http.server.server import LimitedServer, bind
from app.core.http.server.state import is_draining

SHORT = 0.3

PATIENT = ConnectionLimits(keep_alive_timeout=60, header_timeout=60, body_timeout=60, write_timeout=60)

GET = b"GET / HTTP/1.1\r\nHost: test\r\n"

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Application:
    """An application that returns a body's size, or more than any buffer holds, and records disconnected clients."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.reads_body = asyncio.Event()
        self.reads_body.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response: Response
        if scope["path"] == "/endless":
            response = StreamingResponse(endless())
        elif scope["path"] == "/draining":
            response = PlainTextResponse(str(is_draining(request)))
        elif scope["path"] == "/unread":
            response = PlainTextResponse("unread")
        elif scope["path"] == "/large":
            response = Response(b"x" * 10_000_000)
        else:
            await self.reads_body.wait()
            try:
                response = PlainTextResponse(str(len(await request.body())))
            except ClientDisconnect:
                self.left.set()
                return
        await response(scope, receive, send)
        if scope["path"] != "/":
            self.left.set()


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 100_000
        await asyncio.sleep(0)


class Server:
    """A running server."""

    def __init__(self, app: Application, server: LimitedServer, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def disconnect(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def send(self, *parts: bytes) -> Connection:
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            with suppress(ConnectionError):
                # The server may have answered and closed the connection already.
                await writer.drain()
        return reader, writer


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[Server]:
    app = Application()
    listener = bind("127.0.0.1", 0)
    listener.listen()
    port = listener.getsockname()[1]
    config = LimitedConfig(app, limits=limits, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = LimitedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    running = Server(app, server, port)
    try:
        await eventually(lambda: server.started)
        yield running
    finally:
        await running.disconnect()
        server.should_exit = True
        await task


async def status_of(reader: asyncio.StreamReader) -> int:
    return int((await reader.readline()).split()[1])


async def error_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """Return the status and the error of a response, after which the connection is closed."""
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionResetError:
        return True


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("It has not come true within ten seconds.")


async def drip_into(writer: asyncio.StreamWriter, part: bytes) -> None:
    while True:
        writer.write(part)
        await asyncio.sleep(SHORT / 5)
