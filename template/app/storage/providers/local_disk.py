"""A folder of objects. All methods block: call them in a thread."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import IO, Final

from app.kit.types.file_path import path_inside
from app.storage.keys import check_key, is_key
from app.storage.port import ObjectMissingError, StoredObject

PARTIAL: Final = ".partial"
"""The folder of unfinished uploads. No key begins with a dot."""
PARTIAL_MAX_AGE: Final = timedelta(days=1)
"""An unfinished upload that hasn't grown for this long is abandoned."""
FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EFBIG, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else [])})


class ObjectExistsError(FileExistsError):
    """An object has this key already, and must not be replaced."""


class DiskFullError(OSError):
    """The disk has less free space than it should keep."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC))


class LocalDisk:
    """A store of objects, each in a file whose path is its key. The folder is created with the first object.

    Args:
        root: the folder.
        min_free: bytes of free space below which nothing more is written.
    """

    def __init__(self, root: Path, *, min_free: int = 0) -> None:
        self.root = root.resolve()
        self._min_free = min_free

    def path(self, key: str) -> Path:
        """Return the path of an object, whether it exists or not.

        Raises:
            InvalidKeyError: the key is invalid.
            OutsideRootError: a symbolic link leads out of the folder.
        """
        return path_inside(self.root, check_key(key))

    def check_space(self) -> None:
        """Raise `DiskFullError` if the disk has less than the minimum of free space."""
        folder = next(path for path in (self.root, *self.root.parents) if path.exists())
        if shutil.disk_usage(folder).free < self._min_free:
            raise DiskFullError

    def open_partial(self) -> FileIO:
        """Create an unfinished upload. Pass it to `commit` or `discard`.

        Raises:
            DiskFullError: there isn't enough free space.
        """
        self.check_space()
        folder = self.root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a buffer that cannot be written would fail again when the file is closed.
        return FileIO(folder / secrets.token_hex(16), "xb")

    @staticmethod
    def append(partial: FileIO, chunk: bytes) -> None:
        """Write all of a chunk."""
        view = memoryview(chunk)
        while view:
            view = view[partial.write(view) :]

    def commit(self, partial: FileIO, key: str, *, replace: bool) -> None:
        """Turn an unfinished upload into an object, atomically.

        Raises:
            ObjectExistsError: an object has this key already, and must not be replaced.
        """
        os.fsync(partial.fileno())
        partial.close()
        path, source = self.path(key), _path(partial)
        path.parent.mkdir(parents=True, exist_ok=True)
        if replace:
            source.replace(path)
            return
        try:
            # Unlike a rename, a link never replaces a file, not even one that was just created.
            path.hardlink_to(source)
        except FileExistsError:
            raise ObjectExistsError from None
        finally:
            self.discard(partial)

    @staticmethod
    def discard(partial: FileIO) -> None:
        """Remove an unfinished upload."""
        with suppress(OSError):
            partial.close()
        _path(partial).unlink(missing_ok=True)

    def remove_abandoned(self) -> None:
        """Remove unfinished uploads that a killed process has left behind."""
        end = time.time() - PARTIAL_MAX_AGE.total_seconds()
        for path in (self.root / PARTIAL).glob("*"):
            try:
                if path.stat().st_mtime < end:
                    path.unlink()
            except FileNotFoundError:
                # Another process that starts at the same time has removed it.
                continue

    def open(self, key: str) -> IO[bytes]:
        """Open an object for reading.

        Raises:
            ObjectMissingError: no object has this key.
        """
        if self.find(key) is None:
            raise ObjectMissingError(key)
        try:
            return self.path(key).open("rb")
        except FileNotFoundError:
            # It has just been deleted.
            raise ObjectMissingError(key) from None

    def find(self, key: str) -> StoredObject | None:
        """Return an object's metadata, or `None` if no object has this key."""
        try:
            stat = self.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not S_ISREG(stat.st_mode):
            return None
        return StoredObject(key=key, size=stat.st_size, modified_at=datetime.fromtimestamp(stat.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Delete an object. Deleting a missing object is not an error."""
        if self.find(key) is not None:
            self.path(key).unlink(missing_ok=True)

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects in a folder; an empty prefix stands for the root. Files without a valid key are skipped."""
        for folder, folders, names in (self.path(prefix) if prefix else self.root).walk():
            # Unfinished uploads lie in a folder whose name begins with a dot.
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                key = (folder / name).relative_to(self.root).as_posix()
                found = self.find(key) if is_key(key) and not (folder / name).is_symlink() else None
                if found is not None:
                    yield found


def _path(partial: FileIO) -> Path:
    name = partial.name
    assert isinstance(name, str | Path)  # noqa: S101 - `open_partial` opens it by its path
    return Path(name)
