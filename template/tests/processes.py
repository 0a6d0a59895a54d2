"""Processes that are killed or suspended, on every platform."""

import os
import signal
import sys
from typing import Final, NoReturn

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
