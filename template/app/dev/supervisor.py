"""Keep a development server running: replace it when the code changes, stop it on a signal."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Self

from app.kit.user_error import UserError

NOT_CONFIGURED = 78
"""The exit code of a server with invalid settings, which no code change fixes (EX_CONFIG in sysexits.h)."""
GRACE_SECONDS = 3
BACKLOG = 2048
TICK_MILLISECONDS = 250
NEXT_PORTS = 20
WATCHED_EXTENSIONS = (".env", ".toml", ".html", ".txt")
"""Besides Python files: settings, tables and templates that the application reads at start."""
END_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    END_SIGNALS.append(signal.SIGHUP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The message that makes a waiting server serve.

    Attributes:
        variables: additional environment variables.
        greeting: printed once the server answers.
    """

    variables: dict[str, str]
    greeting: str

    def line(self) -> bytes:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


class ServerProcess:
    """A process that runs `app.dev.server`."""

    def __init__(self, listener: socket.socket) -> None:
        reading, writing = os.pipe()
        self._writing: int | None = writing
        command = [sys.executable, "-m", "app.dev.server", str(listener.fileno()), str(reading)]
        self._process = subprocess.Popen(command, pass_fds=(listener.fileno(), reading))  # noqa: S603 - our own
        os.close(reading)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self, start: Start) -> None:
        """Make it serve."""
        if self._writing is not None:
            # If the process has failed already, `exit_code` shows it.
            with suppress(BrokenPipeError):
                os.write(self._writing, start.line())

    @property
    def exit_code(self) -> int | None:
        """The exit code, or `None` while it runs."""
        return self._process.poll()

    def end(self) -> None:
        """Stop it, giving requests in flight GRACE_SECONDS to finish."""
        if self._writing is None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE_SECONDS + 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._writing)
        self._writing = None


def supervise(
    server: ServerProcess,
    listener: socket.socket,
    start: Start,
    *,
    watched: Sequence[Path],
    say: Callable[[str], object],
) -> int:
    """Make the server serve, and replace it whenever the code changes, until this process is asked to end.

    Args:
        server: already started; waits for `start`.
        listener: the socket that every server serves on.
        start: the message to the server.
        watched: the folders and files to watch. If empty, this ends when the server ends.
        say: prints a line.

    Returns:
        The exit code.
    """
    with ending() as stop:
        server.start(start)
        told = False
        for changed in changes(watched, stop):
            code = server.exit_code
            if changed:
                say(f"Reloading: {', '.join(sorted(changed))}")
                server.end()
                server, told = ServerProcess(listener), False
                server.start(replace(start, greeting=""))
            elif code is not None and (not watched or code == NOT_CONFIGURED):
                return code
            elif code is not None and not told:
                say("The server has stopped. It restarts when the code changes.")
                told = True
        server.end()
    return 0


def changes(watched: Sequence[Path], stop: Event) -> Iterator[set[str]]:
    """Yield the files that have changed, several times a second, until `stop` is set."""
    if not watched:
        while not stop.wait(TICK_MILLISECONDS / 1000):
            yield set()
        return
    # Imported late: the server starts meanwhile.
    from watchfiles import PythonFilter, watch  # noqa: PLC0415

    for found in watch(
        *watched,
        watch_filter=PythonFilter(extra_extensions=WATCHED_EXTENSIONS),
        stop_event=stop,
        rust_timeout=TICK_MILLISECONDS,
        yield_on_timeout=True,
    ):
        yield {os.path.relpath(path) for _, path in found}


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, which accepts connections once a server serves on it.

    Raises:
        UserError: the port is taken, or the host isn't an address of this machine.
    """
    try:
        return _bound(host, port)
    except PermissionError:
        raise UserError(f"Only root may use port {port}. Try: app dev --port 8000") from None
    except socket.gaierror:
        raise UserError(f"{host} is not an address of this machine. Try: app dev --host 127.0.0.1") from None
    except OSError as error:
        free = next((other for other in range(port + 1, port + NEXT_PORTS) if _is_free(host, other)), None)
        if free is None:
            raise UserError(f"{host}:{port} cannot be used: {error.strerror}.") from None
        raise UserError(f"Port {port} is taken. Stop what uses it, or try: app dev --port {free}") from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_free(host: str, port: int) -> bool:
    try:
        _bound(host, port).close()
    except OSError:
        return False
    return True


@contextmanager
def ending() -> Iterator[Event]:
    """Yield an event that is set by the signals that otherwise end this process."""
    stop = Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in END_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
