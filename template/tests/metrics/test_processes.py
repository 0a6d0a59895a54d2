"""Several processes under load, of which some are killed: no total falls, and nothing of the dead ones is left."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from tests.databases import Databases
from tests.metrics.scrapes import Scrape
from tests.processes import KILL_SIGNAL

TOKEN = "k3b9vqz7xw2m5n8p1r4t6y0u-sdfghjl"
COUNT = "http_server_request_duration_seconds_count"
SERVER = """
import sys
import tests
from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.server import bind, run
from app.core.module import module as core
from app.main import create_app
from app.metrics.module import module
listener = bind("127.0.0.1", int(sys.argv[1]))
run(create_app([core, module]), listener=listener, limits=ConnectionLimits(), log_config=None)
"""
WORKER = """
import asyncio
import tests
from app.core.lifecycle import create_runtime, running
from app.core.module import module as core
from app.metrics.module import module
async def main():
    async with running(create_runtime([core, module])):
        await asyncio.Event().wait()
asyncio.run(main())
"""
HEALTH = "/api/v1/public/health"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of an answer; 0 if there is none."""
    request = Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - always http
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, ""
    except (URLError, OSError):
        return 0, ""


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is met."""
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            pytest.fail("The condition was not met within a minute.")
        time.sleep(0.05)


class Processes:
    """Servers and workers that share a directory."""

    def __init__(self, databases: Databases, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self._environment = {
            **os.environ,
            "DATABASE_URL": databases.shared,
            "METRICS_DIR": str(folder),
            "METRICS_TOKEN": TOKEN,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def start(self, program: str, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a process, which is killed at the end of the test."""
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=self._environment | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(end, process)
        return process

    def serve(self) -> tuple[subprocess.Popen[bytes], int]:
        """Start a server, and return it with its port."""
        port = free_port()
        return self.start(SERVER, str(port)), port


def end(process: subprocess.Popen[bytes], number: int = KILL_SIGNAL) -> None:
    """Kill a process."""
    process.send_signal(number)
    process.wait(60)


@pytest.fixture
def processes(databases: Databases, folder: Path) -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(databases, folder, stack)


@contextmanager
def load(port: int) -> Iterator[list[int]]:
    """Send requests until the end of the block or of the server, and collect the statuses of the answers."""
    statuses: list[int] = []
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            status = fetch(port, "/api/v1/public/nowhere")[0]
            if status == 0:
                return
            statuses.append(status)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()


def test_totals_survive_a_killed_server_and_gauges_do_not(processes: Processes, folder: Path) -> None:
    killed, first = processes.serve()
    _, second = processes.serve()
    until(lambda: fetch(first, HEALTH)[0] == fetch(second, HEALTH)[0] == 200)

    def count() -> float:
        return read(second).total(COUNT, http_route="unmatched")

    with load(first) as statuses, load(second) as others:
        until(lambda: min(len(statuses), len(others)) > 30)
        seen = [count()]
        end(killed)
        seen += [count() for _ in range(3)]
        replaced, third = processes.serve()
        until(lambda: fetch(third, HEALTH)[0] == 200)
        seen.append(count())
    seen.append(count())
    answered = len(statuses) + len(others)
    assert seen == sorted(seen)
    # A request whose answer was lost may have been counted: one of each sender, with the killed process or too late.
    # The last answer of the killed process may not have been counted yet.
    assert answered - 1 <= seen[-1] <= answered + 2
    assert read(third).total(COUNT, http_route="unmatched") == seen[-1]
    assert read(third).total("app_processes") == 2
    end(replaced, signal.SIGTERM)
    assert count() == seen[-1]
    assert len(list(folder.glob("counter_*.db"))) == 2
    assert len(list(folder.glob("*.lock"))) == 1


def read(port: int, path: str = "/api/v1/public/metrics") -> Scrape:
    """Return a scrape."""
    status, text = fetch(port, path)
    assert status == 200
    return Scrape(text)


def test_a_worker_is_part_of_the_servers_scrapes_and_has_a_port_of_its_own(processes: Processes) -> None:
    port = free_port()
    first = processes.start(WORKER, METRICS_PORT=str(port))
    until(lambda: fetch(port, "/metrics")[0] == 200)
    processes.start(WORKER, METRICS_PORT=str(port))
    _, server = processes.serve()
    until(lambda: fetch(server, HEALTH)[0] == 200)
    until(lambda: read(server).total("app_processes", role="worker") == 2)
    assert read(port, "/metrics").total("app_processes") == 3
    assert fetch(port, "/elsewhere")[0] == 404
    end(first)
    assert read(server).total("app_processes", role="worker") == 1
