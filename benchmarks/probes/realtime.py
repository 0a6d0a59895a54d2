"""Clients of realtime_server.py, as cheap as possible: sockets that look for a mark, without parsing frames."""

import asyncio
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SERVER = Path(__file__).with_name("realtime_server.py")
FANNED, EVENTS, PUBLISHED, IDLE = 1000, 40, 300, 5000
PER_USER = 20
AT_ONCE = 50
_AT = re.compile(rb'"at": ?"([0-9.]+)"')
_PONG = b'{"type":"pong"}'
_SUBSCRIBE = b'{"type":"subscribe","channel":"everyone"}'


class Client(asyncio.Protocol):
    """One connection, which keeps how long each event took to arrive."""

    def __init__(self, port: int, token: str, *, subscribes: bool) -> None:
        self.delays: list[float] = []
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._token = token
        self._port = port
        self._subscribes = subscribes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self._transport = transport
        transport.write(
            f"GET /api/v1/app/ws HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Look for events, and subscribe after the welcome."""
        now = time.perf_counter()
        for at in _AT.findall(data):
            self.delays.append(now - float(at))
        if b'"ping"' in data:
            self._send(_PONG)
        if b'"welcome"' in data and self._subscribes:
            self._send(_SUBSCRIBE)
        elif (b'"welcome"' in data or b'"subscribed"' in data) and not self.ready.done():
            self.ready.set_result(None)

    def _send(self, message: bytes) -> None:
        """Send a short text frame, with a mask of zeros."""
        self._transport.write(bytes([0x81, 0x80 | len(message), 0, 0, 0, 0]) + message)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("refused"))


class Server:
    """A process of realtime_server.py."""

    def __init__(self, kind: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), kind, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def answer(self, command: str = "") -> object:
        """Send a command and return the answer."""
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        if command:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        if line := await asyncio.to_thread(self._process.stdout.readline):
            return json.loads(line)
        raise SystemExit("the server ended")

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()


async def connected(port: int, tokens: Sequence[str], count: int, *, subscribes: bool) -> list[Client]:
    """Connect clients, some at a time."""
    loop, clients = asyncio.get_running_loop(), []
    for start in range(0, count, AT_ONCE):
        batch = [
            Client(port, tokens[number // PER_USER], subscribes=subscribes)
            for number in range(start, min(start + AT_ONCE, count))
        ]
        await asyncio.gather(*(loop.create_connection(lambda each=each: each, "127.0.0.1", port) for each in batch))
        await asyncio.gather(*(each.ready for each in batch))
        clients += batch
    return clients


async def fan(tokens: Sequence[str]) -> dict[str, float]:
    """Measure how long one event takes to the last of many connections, and the time to receipt of published events.

    Both servers run at the same time and send in turn, so that other load of the machine slows both.
    """
    servers = {kind: Server(kind) for kind in ("bare", "ours")}
    try:
        clients = {}
        for kind, server in servers.items():
            await server.answer()
            clients[kind] = await connected(server.port, tokens, FANNED, subscribes=True)
        for _ in range(EVENTS + 1):
            for server in servers.values():
                await server.answer("fan 1")
        await asyncio.sleep(1)
        slowest = {
            kind: [max(each) for each in zip(*(client.delays for client in own), strict=True)][1:]
            for kind, own in clients.items()
        }
        await servers["ours"].answer(f"publish {PUBLISHED}")
        await asyncio.sleep(1)
        delays = sorted(clients["ours"][0].delays[EVENTS + 1 :])
        return {
            **{f"{kind}_fan": statistics.median(times) for kind, times in slowest.items()},
            "p50": delays[len(delays) // 2],
            "p99": delays[len(delays) * 99 // 100],
        }
    finally:
        for server in servers.values():
            server.end()


async def idle(kind: str, tokens: Sequence[str]) -> dict[str, float]:
    """Measure the memory of idle connections."""
    server = Server(kind)
    try:
        await server.answer()
        await connected(server.port, tokens, 100, subscribes=False)
        before = await server.answer("memory")
        await connected(server.port, tokens[5:], IDLE, subscribes=False)
        after = await server.answer("memory")
        return {f"{kind}_memory": (int(str(after)) - int(str(before))) / IDLE}
    finally:
        server.end()


async def main() -> None:
    """Print the figures as JSON."""
    tokens = json.loads(os.environ["TOKENS"])
    figures = await fan(tokens)
    for kind in ("bare", "ours"):
        figures |= await idle(kind, tokens)
    print(json.dumps(figures))


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main())
