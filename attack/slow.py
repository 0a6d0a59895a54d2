"""Slow clients: endless headers, unfinished bodies, half-open connections, unread downloads."""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from attack.files import stored_file
from attack.servers import OK, Target, serve, unused_port

TIMEOUT = 2.0
"""The limits of the server for headers, bodies and reading, in seconds."""
ENDED_WITHIN = 40.0
"""Seconds within which the server ends or answers every slow connection: its timeout, and the load of this machine."""
MAX_WAIT = 5.0
"""Seconds that another client may have to wait meanwhile."""
MAX_GROWTH = 64
"""MiB by which the server may grow during an attack."""
ENDLESS, UNFINISHED, HALF_OPEN, UNREAD = 50, 200, 2000, 50
BODY = 1_000_000
FILE = b"%PDF-1.7\n" + b" " * 24_000_000
UNAUTHORIZED, BODY_TIMEOUT, HEADERS_TOO_LARGE, CLOSED = 401, 408, 431, 0

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """What the clients do, and the statuses with which the server may end them.

    Attributes:
        client: one client; returns the status of the answer, `CLOSED` without one.
    """

    name: str
    clients: int
    client: Callable[["Victim"], Coroutine[object, object, int]]
    allowed: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Victim:
    """The server under attack.

    Attributes:
        download: the path of a file's download link.
    """

    url: str
    pid: int
    token: str
    download: str

    @asynccontextmanager
    async def connected(self, buffer: int | None = None) -> AsyncIterator[Connection]:
        """Connect until the end of the block, with a receive buffer of so many bytes."""
        made = socket.socket()
        made.setblocking(False)  # noqa: FBT003 - its only parameter
        if buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        try:
            await asyncio.get_running_loop().sock_connect(made, (urlsplit(self.url).hostname, urlsplit(self.url).port))
            reader, writer = await asyncio.open_connection(sock=made, limit=64 * 1024)
        except OSError:
            made.close()
            raise
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def resident(self) -> float:
        """Return the server's memory in MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def slow_clients(target: Target) -> list[str]:
    """Attack a server of its own with slow clients. Return what failed."""
    with tempfile.TemporaryDirectory(prefix="omnistack-slow-") as temporary:
        own = {
            "HTTP_HEADER_TIMEOUT": str(TIMEOUT),
            "HTTP_BODY_TIMEOUT": str(TIMEOUT),
            "HTTP_WRITE_TIMEOUT": str(TIMEOUT),
            "STORAGE_PROVIDER": "local",
            "STORAGE_LOCAL_PATH": str(Path(temporary) / "files"),
        }
        log = Path(temporary) / "server.log"
        with serve(target.project, target.environment | own, port=unused_port(), log=log) as (url, process):
            download = stored_file(url, target.user, FILE)
            victim = Victim(url=url, pid=process, token=target.user, download=download)
            failed = [failure for attack in ATTACKS for failure in asyncio.run(_run(victim, attack))]
        text = log.read_text(encoding="utf-8", errors="replace")
    if "Traceback (most recent call last)" in text or "unhandled" in text:
        failed.append(f"slow clients: the server's log has an unhandled error:\n{text[-2000:]}")
    return failed


async def _run(victim: Victim, attack: Attack) -> list[str]:
    before, statuses = victim.resident(), dict[int, int]()
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(_client(victim, attack)) for _ in range(attack.clients)]
        slowest, peak = await _bystander(victim, clients)
    for client in clients:
        statuses[client.result()] = statuses.get(client.result(), 0) + 1
    counts = ", ".join(f"{count} x {status or 'closed'}" for status, count in sorted(statuses.items()))
    sys.stdout.write(f"{attack.name}: {counts}; +{peak - before:.0f} MiB; others waited {slowest:.2f} s\n")
    failed = []
    if wrong := sorted(statuses.keys() - attack.allowed):
        failed.append(f"{attack.name}: ended with {wrong}")
    if slowest > MAX_WAIT:
        failed.append(f"{attack.name}: another client waited {slowest:.1f} s")
    if peak - before > MAX_GROWTH:
        failed.append(f"{attack.name}: the server grew by {peak - before:.0f} MiB")
    return failed


async def _client(victim: Victim, attack: Attack) -> int:
    """Return the status with which the server ended one client; -1 if it didn't within its time."""
    try:
        async with asyncio.timeout(ENDED_WITHIN):
            return await attack.client(victim)
    except TimeoutError:
        return -1
    except (ConnectionError, asyncio.IncompleteReadError):
        return CLOSED


async def _bystander(victim: Victim, clients: list[asyncio.Task[int]]) -> tuple[float, float]:
    """Send requests until the clients have ended. Return the longest wait in seconds, and the server's peak memory."""
    slowest = peak = 0.0
    while True:
        started, ended = time.monotonic(), all(client.done() for client in clients)
        status = 0
        # A connection may be replaced while the limit is reached: a client tries again.
        while status != OK and time.monotonic() - started < MAX_WAIT:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(MAX_WAIT), victim.connected() as (reader, writer):
                    writer.write(_request("GET", "/api/v1/public/health") + b"\r\n")
                    status = await _status(reader)
        slowest, peak = max(slowest, time.monotonic() - started), max(peak, victim.resident())
        if ended:
            return slowest, peak
        await asyncio.sleep(0.05)


def _request(method: str, path: str, *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: attacked", *headers)).encode()


async def _status(reader: asyncio.StreamReader) -> int:
    """Read the status line. Return `CLOSED` at the end of the connection."""
    line = await reader.readline()
    return int(line.split()[1]) if line else CLOSED


async def _endless_headers(victim: Victim) -> int:
    async with victim.connected() as (reader, writer):
        writer.write(_request("GET", "/api/v1/public/health"))
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"X-Filler: " + b"x" * 16_000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        return await _status(reader)


async def _unfinished_body(victim: Victim, *headers: str) -> int:
    headers = ("Content-Type: application/json", f"Content-Length: {BODY}", *headers)
    async with victim.connected() as (reader, writer):
        writer.write(_request("POST", "/api/v1/app/projects", *headers) + b"\r\n[" + b" " * (BODY - 1000))
        return await _status(reader)


async def _unfinished_body_with_a_token(victim: Victim) -> int:
    return await _unfinished_body(victim, f"Authorization: Bearer {victim.token}")


async def _half_open(victim: Victim) -> int:
    async with victim.connected() as (reader, writer):
        writer.write(b"GET ")
        return await _status(reader)


async def _unread_download(victim: Victim) -> int:
    async with victim.connected(4096) as (reader, writer):
        writer.write(_request("GET", victim.download) + b"\r\n")
        await asyncio.sleep(0)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # the sockets' transports have it
        await asyncio.sleep(2 * TIMEOUT)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = 0
        with suppress(ConnectionError):
            while part := await reader.read(1024 * 1024):
                received += len(part)
        return CLOSED if received < len(FILE) else OK


ATTACKS = (
    Attack(
        name="endless headers",
        clients=ENDLESS,
        client=_endless_headers,
        allowed=frozenset({HEADERS_TOO_LARGE, CLOSED}),
    ),
    Attack(
        name="unfinished bodies without a token",
        clients=UNFINISHED,
        client=_unfinished_body,
        allowed=frozenset({UNAUTHORIZED}),
    ),
    Attack(
        name="unfinished bodies with a token",
        clients=UNREAD,
        client=_unfinished_body_with_a_token,
        allowed=frozenset({BODY_TIMEOUT, CLOSED}),
    ),
    Attack(
        name="half-open connections",
        clients=HALF_OPEN,
        client=_half_open,
        allowed=frozenset({BODY_TIMEOUT, CLOSED}),
    ),
    Attack(
        name="unread downloads",
        clients=UNREAD,
        client=_unread_download,
        allowed=frozenset({CLOSED}),
    ),
)
