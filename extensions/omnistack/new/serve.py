"""Running a new project: the server, an access token and a first request, until Ctrl-C."""

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
from omnistack.shell.process import LEAKING_VARIABLES, CommandError, quoted, run
from omnistack.shell.progress import err, out, working

HOST = "127.0.0.1"
FIRST_PORT = 8000
PORTS = 100
API = "/api/v1"
READY = f"{API}/public/health/ready"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
POLL_INTERVAL = 0.05
KEPT_LINES = 40


def start(project: Path, email: str) -> None:
    """Serve an installed project with its database and migrations, show how to call it, and wait until it stops."""
    port = free_port()
    with _serving(project, port) as server:
        with working("Starting the database, migrating and serving"):
            server.wait_until_ready(port)
        _show_first_request(project, f"http://{HOST}:{port}", email)
        server.show_output()
        status = server.wait()
    raise typer.Exit(status)


def free_port() -> int:
    """Return a free port: 8000 or the next, else any."""
    for port in (*range(FIRST_PORT, FIRST_PORT + PORTS), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise OmniError(f"no port is free on {HOST}", "stop another server first")


class Server:
    """The process `app dev` of a project. Its output is kept until `show_output`."""

    def __init__(self, project: Path, port: int) -> None:
        variables = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
        self._command = f"cd {quoted(project)} && uv run app dev --port {port}"
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
                # Its own group: a terminal sends Ctrl-C to the whole group, and `stop` sends it as well. A second one
                # would interrupt the server while it stops its database.
                process_group=0 if sys.platform != "win32" else None,
            )
        except OSError as error:
            raise OmniError(f"the server could not be started: {error.strerror}", f"run `{self._command}`") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self, port: int) -> None:
        """Return when the health route answers 200.

        Raises:
            OmniError: the server stopped, or took too long.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._reader.join(STOP_TIMEOUT)
                raise OmniError(
                    f"the server stopped: {self._last_line()}", f"run `{self._command}` to see all of its output"
                )
            if _answers(port):
                return
            time.sleep(POLL_INTERVAL)
        raise OmniError(
            f"the server was not ready after {START_TIMEOUT:.0f} s: {self._last_line()}",
            f"run `{self._command}` to see all of its output",
        )

    def show_output(self) -> None:
        """Print the server's output from now on."""
        with self._lock:
            self._shown = True

    def wait(self) -> int:
        """Wait until the server stops, and return its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """Stop the server as Ctrl-C does, so that it stops its database; then terminate and kill it."""
        for step in (self._interrupt, self._process.terminate, self._process.kill):
            if self._process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    step()
                    self._process.wait(STOP_TIMEOUT)
        self._reader.join(1)

    def _interrupt(self) -> None:
        # On Windows the console sends a Ctrl-C to the server as well, and a program cannot send one to one process.
        if sys.platform != "win32":
            self._process.send_signal(signal.SIGINT)

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._lock:
                self._lines.append(line)
                if self._shown:
                    sys.stderr.write(line)
                    sys.stderr.flush()

    def _last_line(self) -> str:
        lines = [line.strip() for line in self._lines if line.strip()]
        return lines[-1] if lines else "no output"


@contextmanager
def _serving(project: Path, port: int) -> Iterator[Server]:
    server = Server(project, port)
    try:
        yield server
    except KeyboardInterrupt:
        err().print("\nStopping …")
        server.stop()
        out().print(
            f"\nStopped. Start it again with:\n\n  cd {quoted(project.resolve())}\n  uv run app dev\n", markup=False
        )
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


def _show_first_request(project: Path, base: str, email: str) -> None:
    console = out()
    console.print(f"\nReady: {base}", style="bold green")
    console.print(f"API documentation: {base}/docs\n")
    try:
        token = run([_app(project), "token", "--email", email], cwd=project).splitlines()[-1].strip()
    except (CommandError, IndexError) as error:
        console.print(
            f"No access token: {error}\nThe authentication provider issues them. A request without one:\n", markup=False
        )
        console.print(f"  curl {base}{READY}\n", markup=False)
        return
    console.print(f"An access token for {email}:\n\n{token}\n\nA first request:\n", markup=False)
    console.print(f'  curl -H "Authorization: Bearer {token}" {base}{API}/app/users/me\n', markup=False)
    console.print("Press Ctrl-C to stop.\n")
