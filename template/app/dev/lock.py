"""A lock that ends with its process, and says who holds it."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a lock, and for what."""

    pid: int
    command: str
    url: str = ""


class LockedError(Exception):
    """Somebody else holds the lock; `holder` is `None` in the moment before they have said who they are."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__("The lock is held.")
        self.holder = holder


@contextmanager
def hold(path: Path, *, command: str, url: str = "") -> Iterator[None]:
    """Holds the lock for the length of the block.

    Raises:
        LockedError: somebody else does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(_read(path)) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(asdict(Holder(pid=os.getpid(), command=command, url=url))).encode())
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock, if anybody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
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


def patience(seconds: float) -> Iterator[None]:
    """Turns for waiting on another process, a twentieth of a second apart."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)
