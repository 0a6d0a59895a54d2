"""Backups in a folder of this machine."""

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from app.backup.archive import READ_SIZE
from app.backup.destination import CHECKSUM_SUFFIX, StoredBackup, checksum_line, name_taken, newest_first, parse_name
from app.backup.errors import BackupError
from app.backup.stage import Stage
from app.kit.file_lock import NO_LINKS, lock, open_lock_file

PARTIAL_SUFFIX: Final = ".partial"
LOCK: Final = ".lock"
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MAX_CHECKSUM: Final = 1024


class Folder:
    """See `Destination`. Only this user may read the folder and the files that it creates.

    Args:
        path: the folder, created when it is first written to.
        project: the project's name in file names.
    """

    def __init__(self, path: Path, project: str) -> None:
        self._path = path
        self._project = project

    @property
    def shown(self) -> str:
        """See `Destination.shown`."""
        return str(self._path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """See `Destination.lock`. Files of interrupted backups are removed."""
        with self._errors():
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = open_lock_file(self._path / LOCK)
        try:
            try:
                lock(descriptor)
            except BlockingIOError:
                raise BackupError(
                    f"Another backup is being written to {self._path}. Wait until it has ended."
                ) from None
            for partial in self._path.glob(f".*{PARTIAL_SUFFIX}"):
                partial.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def save(self, name: str, content: Stage) -> int:
        """See `Destination.save`."""
        target, partial = self._path / name, self._path / f".{name}{PARTIAL_SUFFIX}"
        if target.exists():
            raise name_taken(name)
        digest, size = sha256(), 0
        try:
            with self._errors(), partial.open("xb", buffering=0) as file:
                partial.chmod(0o600)
                while chunk := content.read(READ_SIZE):
                    digest.update(chunk)
                    size += len(chunk)
                    view = memoryview(chunk)
                    while view:
                        view = view[file.write(view) :]
                os.fsync(file.fileno())
            with self._errors():
                self._write_checksum(name, digest.hexdigest())
                partial.rename(target)
                _sync(self._path)
        except BaseException:
            partial.unlink(missing_ok=True)
            if not target.exists():
                (self._path / f"{name}{CHECKSUM_SUFFIX}").unlink(missing_ok=True)
            raise
        return size

    def backups(self) -> list[StoredBackup]:
        """See `Destination.backups`."""
        if not self._path.is_dir():
            return []
        with self._errors():
            files = [path for path in self._path.iterdir() if path.is_file() and not path.is_symlink()]
            return newest_first((parse_name(path.name, path.stat().st_size) for path in files), self._project)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Destination.open`."""
        with self._errors():
            file = (self._path / name).open("rb", buffering=READ_SIZE)
        with file:
            yield file

    def checksum(self, name: str) -> str | None:
        """See `Destination.checksum`."""
        path = self._path / f"{name}{CHECKSUM_SUFFIX}"
        if not path.is_file():
            return None
        with self._errors(), path.open("rb") as file:
            return file.read(MAX_CHECKSUM).decode("ascii", "replace")

    def delete(self, name: str) -> None:
        """See `Destination.delete`."""
        with self._errors():
            (self._path / name).unlink(missing_ok=True)
            (self._path / f"{name}{CHECKSUM_SUFFIX}").unlink(missing_ok=True)

    def _write_checksum(self, name: str, digest: str) -> None:
        path = self._path / f"{name}{CHECKSUM_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINKS, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(checksum_line(name, digest))
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                free = shutil.disk_usage(self._path).free
                raise BackupError(
                    f"The disk of {self._path} is full ({free} bytes free). The backup was not written, and existing "
                    "backups are unchanged. Delete old ones (app backup prune) or add space."
                ) from None
            if error.filename is None and error.errno is None:
                raise
            raise BackupError(f"{error.filename or self._path}: {error.strerror}.") from None


def _sync(folder: Path) -> None:
    """Make sure that the folder's entries survive a power cut. Windows cannot open a folder, and needs no such call."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
