"""Take the dump out of a backup, to restore a part of it with PostgreSQL's or SQLite's own tools."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from app.backup.destination import BackupFile
from app.backup.encryption import IdentityFile
from app.backup.errors import BackupError
from app.backup.manifest import Manifest
from app.backup.verify import read_backup


class DumpReceiver:
    """A receiver that writes the dump to a file, and skips everything else."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target

    def database(self, content: bytes) -> None:
        """See `Receiver.database`."""
        self._target.write(content)

    def file(self, key: str, size: int, content: Iterator[bytes]) -> None:
        """See `Receiver.file`."""

    def listing(self, content: bytes) -> None:
        """See `Receiver.listing`."""


def extract_dump(backup: BackupFile, target: Path, identity: IdentityFile | None) -> Manifest:
    """Write the dump to a new file that only this user can read. It gets its name once the backup has been checked.

    Raises:
        BackupError: the file exists, or the backup is damaged.
    """
    if target.exists():
        raise BackupError(f"{target} exists already. Choose another name.")
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            manifest = read_backup(backup, DumpReceiver(file), identity)
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return manifest
