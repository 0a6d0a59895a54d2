"""A server with realtime connections: the project's own, or bare `websockets`. It reads commands, one a line.

`publish N` sends N events, one after the other, each in a transaction; `fan N` sends N events to every connection;
`memory` measures. Each answers with a line of JSON.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.protocol import LimitedConfig
from app.core.http.server.server import LimitedServer
from app.core.ports.realtime import Everyone
from app.core.ports.streams import NewMessage, Retention
from app.main import create_app
from app.realtime.settings import RealtimeSettings
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

type Commands = dict[str, Callable[[int], Awaitable[object]]]

ANSWERS = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
"""Standard output. Everything else that is printed, such as emails, goes to standard error: nothing reads it between
two answers, and a full pipe would stop the server."""
PAUSE = 0.2
"""Seconds between two events, in which every client has received the former."""


def event(kind: str) -> dict[str, Any]:
    """Return an event that contains its time."""
    return {"type": kind, "at": f"{time.perf_counter():020.9f}", "padding": "x" * 100}


def resident() -> int:
    """Return the bytes of memory that this process occupies."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


async def obey(commands: Commands) -> None:
    """Execute commands until the input ends."""
    print(json.dumps("ready"), file=ANSWERS, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, _, count = line.strip().partition(" ")
        print(json.dumps(await commands[name](int(count or 0))), file=ANSWERS, flush=True)


async def memory(_: int) -> int:
    """Return the memory, without the tasks that have just ended."""
    await asyncio.sleep(2)
    return resident()


async def ours(port: int) -> None:
    """Run the project's server."""
    app = create_app()
    runtime = app.state.runtime
    limits = ConnectionLimits(max_connections=20_000)
    server = LimitedServer(LimitedConfig(app, limits=limits, port=port, log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.05)
    retention: Retention = runtime.resource(RealtimeSettings).retention

    async def publish(count: int) -> None:
        for _ in range(count):
            async with runtime.database.transaction() as session:
                await runtime.realtime.publish(session, Everyone(), event("published"))
            await asyncio.sleep(PAUSE / 20)

    async def fan(count: int) -> None:
        for number in range(count):
            data = json.dumps(event("fanned"))
            await runtime.streams.append([NewMessage(f"{time.time()} {number}", "everyone", data)], retention)
            await asyncio.sleep(PAUSE)

    await obey({"publish": publish, "fan": fan, "memory": memory})
    server.should_exit = True
    await task


async def bare(port: int) -> None:
    """Run a server of `websockets` as it comes, without compression and without pings."""
    connections: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        connections.add(connection)
        with suppress(ConnectionClosed):
            await connection.send(json.dumps({"type": "welcome"}))
            async for _ in connection:
                await connection.send(json.dumps({"type": "subscribed"}))
        connections.discard(connection)

    async def fan(count: int) -> None:
        for number in range(count):
            message = {"type": "event", "channel": "everyone", "offset": number, "epoch": "1234567890123456"}
            broadcast(connections, json.dumps(message | {"event": event("fanned")}))
            await asyncio.sleep(PAUSE)

    async with serve(handle, "127.0.0.1", port, compression=None, ping_interval=None):
        await obey({"fan": fan, "memory": memory})


if __name__ == "__main__":
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run({"ours": ours, "bare": bare}[sys.argv[1]](int(sys.argv[2])))
