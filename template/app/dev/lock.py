"""A lock that is released when its process ends, and that names its holder."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from app.kit.file_lock import lock, open_lock_file


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The process that holds a lock, and the command that it runs."""

    pid: int
    command: str
    url: str = ""


class LockedError(Exception):
    """Another process holds the lock. `holder` is `None` for the moment before it has written its name."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__("The lock is held.")
        self.holder = holder


@contextmanager
def hold(path: Path, *, command: str, url: str = "") -> Iterator[None]:
    """Hold the lock until the end of the block.

    Raises:
        LockedError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_lock_file(path)
    try:
        try:
            lock(descriptor)
        except BlockingIOError:
            raise LockedError(_read(path)) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(asdict(Holder(pid=os.getpid(), command=command, url=url))).encode())
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return the holder of the lock, or `None` if it is free."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        lock(descriptor, shared=True)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def poll(seconds: float) -> Iterator[None]:
    """Yield every 50 ms until the time is up, to wait for another process."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)
