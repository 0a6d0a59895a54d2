"""Every committed event reaches every client once and in order, whatever is cut, killed or away when.

Real processes, a real database, and the real server that the processes share. In each suite for a few seconds; with
two thousand events and the server away for five seconds:

    REALTIME_FAULTS=2000 uv run pytest tests/realtime/test_faults.py
"""

import asyncio
import multiprocessing
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from websockets.exceptions import WebSocketException

from app.auth.local import mint
from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from app.dev.chosen_services import DEV_SERVICES
from tests.databases import Databases
from tests.processes import KILLED
from tests.realtime import processes
from tests.realtime.processes import publish, published, serve
from tests.realtime.proxy import Proxy
from tests.realtime.server import Client, opened

FULL = "REALTIME_FAULTS" in os.environ
EVENTS = int(os.environ.get("REALTIME_FAULTS", "200"))
OUTAGE = 5.0 if FULL else 1.0
PAUSE = 0.005
CUT_INTERVAL = 0.1
CLIENTS = 4
TIMEOUT = 120.0
SOCKET = "unix://"

# A process of which each other one is a copy: importing the application takes longer than the rest.
if sys.platform == "win32":
    _context = multiprocessing.get_context("spawn")
else:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload([processes.__name__])


class Follower:
    """A client that reconnects and continues where it was."""

    def __init__(self, ports: Sequence[int], headers: dict[str, str]) -> None:
        self.numbers: list[int] = []
        self.gaps = 0
        self.reconnects = 0
        self._ports = ports
        self._headers = headers
        self._last: dict[str, Any] | None = None
        self._client: Client | None = None
        self.began = asyncio.Event()
        """Set when the first subscription has begun."""

    async def run(self) -> None:
        """Follow the channel until this task is cancelled."""
        while True:
            # The server is killed in the middle of a handshake, too.
            with suppress(WebSocketException, OSError, TimeoutError, EOFError):
                url = f"ws://127.0.0.1:{random.choice(self._ports)}/api/v1/app/ws"  # noqa: S311 - no secret
                async with opened(url, self._headers, open_timeout=2) as client:
                    self._client = client
                    await self._follow(client)
            self._client = None
            self.reconnects += 1
            await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - no secret

    def cut(self) -> None:
        """Cut the connection, if there is one."""
        if self._client is not None:
            self._client.websocket.transport.abort()

    async def _follow(self, client: Client) -> None:
        last = self._last
        position = {} if last is None else {"offset": last["offset"], "epoch": last["epoch"]}
        await client.send(type="subscribe", channel="everyone", **position)
        while True:
            message = await client.receive()
            match message["type"]:
                case "event":
                    self._keep(message)
                case "subscribed" | "gap":
                    self.gaps += message["type"] == "gap"
                    self._last = message
                    self.began.set()
                case "error":
                    return

    def _keep(self, message: dict[str, Any]) -> None:
        assert self._last is not None
        assert message["offset"] == self._last["offset"] + 1
        self._last = message
        self.numbers.append(message["event"]["number"])


@dataclass(kw_only=True)
class Company:
    """The processes on one database."""

    database: Database
    environment: Mapping[str, str]
    proxy: Proxy
    started: list[BaseProcess] = field(default_factory=list)

    def start(self, function: Callable[..., object], *args: object) -> BaseProcess:
        """Start a process."""
        process = _context.Process(target=processes.run, args=(self.environment, function, *args))
        process.start()
        self.started.append(process)
        return process

    async def kill(self, process: BaseProcess) -> None:
        """Kill a process."""
        process.kill()
        await asyncio.to_thread(process.join)
        assert process.exitcode == KILLED

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            process.kill()
            process.join()

    async def committed(self) -> list[int]:
        """The numbers of all committed events."""
        async with self.database.reading() as session:
            return [*(await session.scalars(select(published.c.number).order_by(published.c.number))).all()]


def shared_server(stack: AsyncExitStack, folder: Path) -> tuple[str, str]:
    """Start the server that processes share, and return the setting that names it and the path of its socket."""
    service = next(each for each in DEV_SERVICES if each.is_shared())
    for setting, value in stack.enter_context(service.run(folder / service.name, "")).items():
        if value.startswith(SOCKET):
            return setting, value.removeprefix(SOCKET)
    raise LookupError("The shared server has no Unix socket.")


@pytest.fixture
async def company(databases: Databases, tmp_path: Path) -> AsyncIterator[Company]:
    """A database and the shared server, with a proxy in front of it. No process runs yet."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        database = create_database(Settings().with_database(url))
        stack.push_async_callback(database.dispose)
        async with database.transaction() as session:
            await (await session.connection()).run_sync(published.metadata.create_all)
        setting, path = shared_server(stack, tmp_path)
        # A socket's path is short.
        folder = Path(stack.enter_context(TemporaryDirectory()))
        proxy = Proxy(folder / "s", path)
        await proxy.start()
        stack.push_async_callback(proxy.stop)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            setting: f"{SOCKET}{proxy.path}",
            "RATE_LIMIT_DEFAULT": "off",
            "REALTIME_HISTORY_SIZE": "100000",
        }
        opened_company = Company(database=database, environment=environment, proxy=proxy)
        stack.callback(opened_company.end)
        yield opened_company


async def cut_now_and_then(followers: Sequence[Follower]) -> None:
    """Cut connections at random."""
    while True:
        await asyncio.sleep(random.uniform(0, 2 * CUT_INTERVAL))  # noqa: S311 - no secret
        random.choice(followers).cut()  # noqa: S311 - no secret


async def ready(port: int) -> None:
    """Return when a server answers."""
    async with httpx.AsyncClient() as client, asyncio.timeout(TIMEOUT):
        while True:
            with suppress(httpx.HTTPError):
                await client.get(f"http://127.0.0.1:{port}/api/v1/public/health")
                return
            await asyncio.sleep(0.05)


async def reached(company: Company, count: int) -> None:
    """Return when so many events are committed."""
    async with asyncio.timeout(TIMEOUT):
        while len(await company.committed()) < count:  # noqa: ASYNC110 - another process commits them
            await asyncio.sleep(0.02)


async def test_every_event_reaches_every_client_once(company: Company) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
    servers = [company.start(serve, port) for port in ports]
    for port in ports:
        await ready(port)
    token = mint(Settings(), email="user@example.com")
    followers = [Follower(ports, {"Authorization": f"Bearer {token}"}) for _ in range(CLIENTS)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follower.run()) for follower in followers]
        await asyncio.gather(*(follower.began.wait() for follower in followers))
        tasks.append(group.create_task(cut_now_and_then(followers)))

        publisher = company.start(publish, 0, EVENTS, PAUSE)
        await reached(company, EVENTS // 3)
        await company.kill(publisher)
        company.start(publish, EVENTS, EVENTS, PAUSE)
        outage = group.create_task(company.proxy.away(OUTAGE))
        await reached(company, EVENTS * 2 // 3)
        await outage
        await company.kill(servers[0])
        company.start(serve, ports[0])

        numbers = await company.committed()
        async with asyncio.timeout(TIMEOUT):
            while numbers[-1] < 2 * EVENTS - 1 or any(len(each.numbers) < len(numbers) for each in followers):
                await asyncio.sleep(0.05)
                numbers = await company.committed()
        for task in tasks:
            task.cancel()

    for follower in followers:
        assert follower.gaps == 0
        assert follower.numbers == followers[0].numbers
    assert sorted(followers[0].numbers) == numbers
    # Each publisher's events keep their order.
    for publisher_numbers in (range(EVENTS), range(EVENTS, 2 * EVENTS)):
        own = [number for number in followers[0].numbers if number in publisher_numbers]
        assert own == sorted(own)
    assert sum(follower.reconnects for follower in followers) > CLIENTS
