"""A Redis of this project's own, from the `redis-server` on the PATH: for `app dev` and the tests.

It listens on a Unix socket in a folder that only its user may enter, and ends with the process that started it.
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

from app.dev.servers.children import command_line, last_words, socket_folder, start, stop

START_SECONDS: Final = 20


def installed() -> str | None:
    """The path of `redis-server`, if this machine has it."""
    return None if sys.platform == "win32" else shutil.which("redis-server")


@contextmanager
def private_server(data: Path, *options: str) -> Iterator[str]:
    """Runs a server on the data folder, which is made when there is none, to the end of the block; gives its URL.

    Call it from the main thread: the kernel ends the server with the thread that has started it.

    Args:
        data: where it keeps its snapshots; the log is written beside it.
        options: further ones of `redis-server`'s command line; the last of the same name counts.

    Raises:
        OSError: the server cannot be had; says why.
    """
    program = installed()
    if program is None:
        raise FileNotFoundError("There is no redis-server on the PATH.")
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
    """The URL of the server that another process runs on the data folder, if it answers."""
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
            # What wants a password lives as well; while it reads its snapshot it says -LOADING.
            return client.recv(16).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _wait_until_ready(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"redis-server did not start:\n{last_words(log)}")
        time.sleep(0.005)
