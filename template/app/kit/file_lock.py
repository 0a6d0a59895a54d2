"""Locks on files, for processes of one machine. A lock ends with its process, even if that is killed."""

import os
import sys
from pathlib import Path
from typing import Final

NO_LINKS: Final[int] = getattr(os, "O_NOFOLLOW", 0)
"""The flag of `os.open` that refuses symbolic links. Windows has no such flag; links there need privileges."""
LOCKED_BYTE: Final = 1_000_000
"""The byte that is locked on Windows: far behind the content, which others must be able to read."""


def open_lock_file(path: Path) -> int:
    """Open a file to be locked, and create it if it doesn't exist. Only this user may read it.

    Returns:
        The descriptor. Closing it releases the lock. Child processes don't inherit it.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o600)


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file without waiting. On Windows, a shared lock is exclusive as well.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists only on Windows

        try:
            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
