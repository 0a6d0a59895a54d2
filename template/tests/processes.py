"""Processes of the tests: those that run `app`, and those that are killed or suspended, on every platform."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

APP: Final = (sys.executable, "-c", "import tests; from app.cli.main import main; main()")
"""The command `app` that reads no `.env`: followed by its arguments."""

if sys.platform == "win32":
    KILL_SIGNAL: Final = signal.SIGTERM
    KILLED: Final = int(KILL_SIGNAL)
else:
    KILL_SIGNAL: Final = signal.SIGKILL
    KILLED: Final = -KILL_SIGNAL


def kill_this_process() -> NoReturn:
    """End this process at once; nothing is cleaned up."""
    os.kill(os.getpid(), KILL_SIGNAL)
    os._exit(1)


def suspend(pid: int) -> None:
    """Stop a process until `resume`."""
    if sys.platform == "win32":
        raise OSError("Windows cannot suspend a process by a signal.")
    os.kill(pid, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let a suspended process continue."""
    if sys.platform == "win32":
        raise OSError("Windows cannot resume a process by a signal.")
    os.kill(pid, signal.SIGCONT)


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Let writes of this process fail beyond a size, as on a full disk. (Python ignores the signal.)"""
    if sys.platform == "win32":
        raise OSError("Windows has no limit of a file's size.")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
