"""A lock that is released when its process ends, and that names its holder."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

LOCKED_BYTE = 1_000_000


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
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _lock(descriptor)
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
        _lock(descriptor, shared=True)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock the open file without waiting.

    Raises:
        BlockingIOError: another process holds it.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists only there

        try:
            # One byte far behind the content, which others have to be able to read.
            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl  # noqa: PLC0415 - exists only there

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


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
