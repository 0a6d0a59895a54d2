"""Running a new project: the server, a token and a first request, until Ctrl-C."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer

from omnistack.shell.errors import OmniError
from omnistack.shell.process import LEAKING_VARIABLES, CommandError, run
from omnistack.shell.progress import err, out, working

HOST = "127.0.0.1"
FIRST_PORT = 8000
PORTS = 100
API = "/api/v1"
READY = f"{API}/public/health/ready"
READY_WITHIN = 60.0
STOPPED_WITHIN = 15.0
POLL = 0.05
KEPT_LINES = 40


def start(project: Path, email: str) -> None:
    """Serve a synced project (which starts its database and migrates), say how to call it, and wait for its end."""
    port = free_port()
    with _serving(project, port) as server:
        with working("Starting the database, migrating, serving"):
            server.wait_until_ready(port)
        _introduce(project, f"http://{HOST}:{port}", email)
        server.show_output()
        status = server.wait()
    raise typer.Exit(status)


def free_port() -> int:
    """Find a port that nobody listens on: 8000 or the next, else any."""
    for port in (*range(FIRST_PORT, FIRST_PORT + PORTS), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise OmniError(f"no port is free on {HOST}", "end another server first")


class Server:
    """`app dev` of a project, its output held back until it is asked for."""

    def __init__(self, project: Path, port: int) -> None:
        variables = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
        self._command = f"cd {project} && uv run app dev --port {port}"
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._lock = threading.Lock()
        self._shown = False
        try:
            self._process = subprocess.Popen(
                [_app(project), "dev", "--port", str(port)],
                cwd=project,
                env={**variables, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise OmniError(f"the server could not be started: {error.strerror}", f"run `{self._command}`") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self, port: int) -> None:
        """Return once the health route answers 200; fail when the server ends or takes too long."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._reader.join(STOPPED_WITHIN)
                raise OmniError(f"the server ended: {self._last_words()}", f"`{self._command}` shows more")
            if _answers(port):
                return
            time.sleep(POLL)
        raise OmniError(
            f"the server was not ready within {READY_WITHIN:.0f} s: {self._last_words()}",
            f"`{self._command}` shows more",
        )

    def show_output(self) -> None:
        """Print all that the server says from now on."""
        with self._lock:
            self._shown = True

    def wait(self) -> int:
        """Wait for the server's end and return its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """End the server as Ctrl-C would, so that it ends its database; harder where it does not."""
        for step in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    self._process.send_signal(step)
                    self._process.wait(STOPPED_WITHIN)
        self._reader.join(1)

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._lock:
                self._lines.append(line)
                if self._shown:
                    sys.stderr.write(line)
                    sys.stderr.flush()

    def _last_words(self) -> str:
        said = [line.strip() for line in self._lines if line.strip()]
        return said[-1] if said else "it said nothing"


@contextmanager
def _serving(project: Path, port: int) -> Iterator[Server]:
    server = Server(project, port)
    try:
        yield server
    except KeyboardInterrupt:
        err().print("\nStopping.")
        raise typer.Exit(0) from None
    finally:
        server.stop()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", READY)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _app(project: Path) -> Path:
    windows = project / ".venv" / "Scripts" / "app.exe"
    return windows if windows.exists() else project / ".venv" / "bin" / "app"


def _introduce(project: Path, base: str, email: str) -> None:
    console = out()
    console.print(f"\nReady: {base}", style="bold green")
    console.print(f"API documentation: {base}/docs\n")
    try:
        token = run([_app(project), "token", "--email", email], cwd=project).splitlines()[-1].strip()
    except (CommandError, IndexError) as error:
        console.print(f"No token: {error}\nIts provider issues them; without one there is:\n", markup=False)
        console.print(f"  curl {base}{READY}\n", markup=False)
        return
    console.print(f"A token for {email}:\n\n{token}\n\nA first request:\n", markup=False)
    console.print(f'  curl -H "Authorization: Bearer {token}" {base}{API}/app/users/me\n', markup=False)
    console.print("Ctrl-C ends it.\n")
