"""Starting and stopping the server, in separate processes, because signals are sent to processes."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from app.core.http.server.server import bind
from app.kit.user_error import UserError
from tests.databases import Databases
from tests.processes import APP

READY = "/api/v1/public/health/ready"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """A process of `app serve`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the body of an answer; 0 where nothing listens."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)
        except (URLError, ConnectionError, TimeoutError):
            return 0, None

    def until(self, path: str, status: int) -> Any:  # noqa: ANN401 - any JSON
        """Wait for an answer with this status."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found, body = self.get(path)
            if found == status:
                return body
            assert self.process.poll() is None or status == 0
            time.sleep(0.05)
        pytest.fail(f"No answer with {status} within a minute.")

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def served(databases: Databases, folder: Path, *arguments: str, **settings: str) -> Iterator[Served]:
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": databases.shared,
        "PYTHONPATH": str(Path(__file__).parents[4]),
        **settings,
    }
    command = [*APP, "serve", "--port", str(port), *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield Served(process, port)
        finally:
            process.kill()


class TestStop:
    def test_listens_on_ipv4_and_ipv6_and_exits_with_0(self, databases: Databases, tmp_path: Path) -> None:
        with served(databases, tmp_path, "--host", "::") as server:
            server.until(READY, 200)
            assert server.stop() == 0

    def test_of_several_workers_exits_with_0(self, databases: Databases, tmp_path: Path) -> None:
        with served(databases, tmp_path, "--workers", "2") as server:
            server.until(READY, 200)
            assert server.stop() == 0


class TestBind:
    def test_names_the_address_that_is_in_use(self) -> None:
        with bind("127.0.0.1", 0) as first:
            first.listen()
            port = first.getsockname()[1]
            with pytest.raises(UserError, match=f"127.0.0.1, port {port}: Address already in use"):
                bind("127.0.0.1", port)
