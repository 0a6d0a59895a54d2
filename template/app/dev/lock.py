"""A lock that ends with its process, and says who holds it."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCKED_BYTE = 2**30


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
        if not _try_lock(descriptor):
            raise LockedError(_read(path))
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
        return None if _try_lock(descriptor, shared=True) else _read(path)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file until its descriptor is closed; false if another process holds the lock."""
    try:
        if sys.platform == "win32":
            # Windows locks bytes, and for reading too: one that is far behind the content. It has no shared locks.
            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


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
