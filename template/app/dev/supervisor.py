"""Keeps a development server running: replaces it when the code changes, ends it when asked to."""

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
"""The exit code of a server that no change of the code would help (EX_CONFIG of sysexits.h)."""
GRACE_SECONDS = 3
BACKLOG = 2048
TICK_MILLISECONDS = 250
NEXT_PORTS = 20
if sys.platform == "win32":
    END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
else:
    END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What a server waits for.

    Attributes:
        variables: of the environment, on top of its own.
        greeting: what it says when it answers.
    """

    variables: dict[str, str]
    greeting: str

    def line(self) -> bytes:
        """As one line."""
        return json.dumps(asdict(self)).encode() + b"\n"


class ServerProcess:
    """A process of `app.dev.server`."""

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
        """Tells it to serve."""
        if self._writing is not None:
            # If it has failed already, `exit_code` will tell.
            with suppress(BrokenPipeError):
                os.write(self._writing, start.line())

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it has."""
        return self._process.poll()

    def end(self) -> None:
        """Lets it finish what it is doing, for a moment."""
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
    """Has the server serve, and another one whenever the code changes, until this process is asked to end.

    Args:
        server: has been started already and waits.
        watched: what to watch; when empty, the server's end is the end.

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
                say("The server has stopped. It starts again when the code changes.")
                told = True
        server.end()
    return 0


def changes(watched: Sequence[Path], stop: Event) -> Iterator[set[str]]:
    """The files that have changed since the last turn, a few turns a second, until `stop` is set."""
    if not watched:
        while not stop.wait(TICK_MILLISECONDS / 1000):
            yield set()
        return
    # Imported when the server is on its way.
    from watchfiles import PythonFilter, watch  # noqa: PLC0415

    for found in watch(
        *watched, watch_filter=PythonFilter(), stop_event=stop, rust_timeout=TICK_MILLISECONDS, yield_on_timeout=True
    ):
        yield {os.path.relpath(path) for _, path in found}


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections as soon as somebody serves on it.

    Raises:
        UserError: the port is taken, or the host is none of this machine.
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
    """An event that is set when this process is asked to end, instead of ending it."""
    stop = Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in END_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
