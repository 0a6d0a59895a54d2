"""Clients of a deployed application, which count what fails. Runs inside a rendered project's environment."""

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

RATE: Final = 50
"""Requests per second."""
READS: Final = ("/app/projects?limit=5", "/public/health", "/app/users/me")
RESTARTING: Final = 1012
CREATED: Final = 201
PROXY_TIMEOUT: Final = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A deployed application, and a user's token."""

    url: str
    token: str
    tls: ssl.SSLContext

    @property
    def headers(self) -> dict[str, str]:
        """The user's headers."""
        return {"Authorization": f"Bearer {self.token}"}

    def client(self) -> httpx.AsyncClient:
        """Return a client that keeps connections, as a browser does."""
        return httpx.AsyncClient(
            base_url=self.url, headers=self.headers, verify=self.tls, timeout=PROXY_TIMEOUT, trust_env=False
        )


@dataclass(kw_only=True, slots=True)
class Load:
    """Reads, writes and health checks at a constant rate, however long the answers take."""

    target: Target
    sent: int = 0
    created: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send requests to the end of the block, and wait for their answers."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._send_all(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def _send_all(self, stop: asyncio.Event) -> None:
        started = time.monotonic()
        async with self.target.client() as client, asyncio.TaskGroup() as requests:
            for number in itertools.count():
                if stop.is_set():
                    return
                requests.create_task(self._send(client, number))
                await asyncio.sleep(max(0.0, started + (number + 1) / RATE - time.monotonic()))

    async def _send(self, client: httpx.AsyncClient, number: int) -> None:
        started = time.monotonic()
        self.sent += 1
        try:
            if number % 5:
                path = READS[number % len(READS)]
                answer = await client.get(f"/api/v1{path}")
            else:
                answer = await client.post("/api/v1/app/projects", json={"name": f"Project {number}"})
                self.created += answer.status_code == CREATED
            if not answer.is_success:
                self.failures.append(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:200]}")
        except httpx.HTTPError as error:
            self.failures.append(f"request {number}: {error!r}")
        self.slowest = max(self.slowest, time.monotonic() - started)


@dataclass(kw_only=True, slots=True)
class Stream:
    """One event stream: when its pieces arrived."""

    target: Target
    arrived: list[float] = field(default_factory=list)
    complete: bool = False

    async def read(self) -> None:
        """Read a stream from its first event to its last."""
        body = {"prompt": "Tell me a story.", "provider": "openai", "stream": True}
        async with (
            self.target.client() as client,
            client.stream("POST", "/api/v1/app/ai/completions", json=body) as answer,
        ):
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line == "event: delta":
                    self.arrived.append(time.monotonic())
                self.complete = self.complete or line == "event: usage"


@dataclass(kw_only=True, slots=True)
class Socket:
    """A client that keeps a WebSocket open, and connects again when the server restarts."""

    target: Target
    welcomes: int = 0
    codes: list[int] = field(default_factory=list)
    gap: float = 0.0
    """The longest time without a connection, in seconds."""

    async def run(self) -> None:
        """Stay connected until the task is cancelled."""
        url = self.target.url.replace("https", "wss", 1) + "/api/v1/app/ws"
        lost = time.monotonic()
        while True:
            async with connect(url, ssl=self.target.tls, additional_headers=self.target.headers, proxy=None) as socket:
                with suppress(ConnectionClosed):
                    async for text in socket:
                        message = json.loads(text)
                        if message["type"] == "welcome":
                            self.welcomes += 1
                            self.gap = max(self.gap, time.monotonic() - lost)
                        elif message["type"] == "ping":
                            await socket.send(json.dumps({"type": "pong"}))
            lost = time.monotonic()
            self.codes.append(socket.close_code or 0)
