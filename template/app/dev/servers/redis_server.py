"""A private Redis server from the `redis-server` on the PATH, for `app dev` and the tests.

It listens on a Unix socket in a folder that only this user can enter, and ends with the process that started it.
"""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.dev.servers.children import command_line, log_tail, socket_folder, start, stop

START_SECONDS: Final = 20


def installed() -> str | None:
    """Return the path of `redis-server`, or `None` if this machine doesn't have it."""
    return None if sys.platform == "win32" else shutil.which("redis-server")


@contextmanager
def private_server(data: Path, *options: str) -> Iterator[str]:
    """Run a server until the end of the block and yield its URL.

    Call this from the main thread: on Linux the server ends with the thread that started it.

    Args:
        data: the folder of its snapshots, created if missing. The log is written beside it.
        options: more options for `redis-server`; of two with the same name, the last applies.

    Raises:
        OSError: the server cannot run; the message says why.
    """
    program = installed()
    if program is None:
        raise FileNotFoundError("redis-server is not on the PATH.")
    data = data.resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    sockets, log = socket_folder("rs", data), data.with_suffix(".log")
    path = sockets / "redis.sock"
    places = ("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(data))
    process = start(command_line([program, *places, "--save", "60", "1", *options]), log)
    try:
        _wait_until_ready(path, process, log)
        yield _url(path)
    finally:
        stop(process)
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            sockets.rmdir()


def running_server(data: Path) -> str | None:
    """Return the URL of the server that another process runs on the data folder, if it answers."""
    if sys.platform == "win32":
        return None
    path = socket_folder("rs", data.resolve()) / "redis.sock"
    return _url(path) if _answers(path) else None


def _url(path: Path) -> str:
    return f"unix://{path}"


def _answers(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            # A server that wants a password is up too. While it loads its snapshot, it answers -LOADING.
            return client.recv(16).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _wait_until_ready(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"redis-server did not start:\n{log_tail(log)}")
        time.sleep(0.005)
