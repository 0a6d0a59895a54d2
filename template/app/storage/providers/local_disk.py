"""A folder of objects. All of this blocks: call it in a thread."""

import os
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_ISREG
from typing import IO, Final

from app.storage.keys import check_key
from app.storage.port import ObjectMissingError, StoredObject

PARTIAL: Final = ".partial"
"""Where an object grows; no key begins with a dot."""
PART_AGE: Final = timedelta(days=1)
"""How long nothing may have been added to a part that somebody is still sending."""


class ObjectExistsError(FileExistsError):
    """The object is there already, and was not to be replaced."""


class LocalDisk:
    """Keeps each object in a file whose path is its key. The folder is made when something is first kept."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path(self, key: str) -> Path:
        """Where the object is, or would be.

        Raises:
            InvalidKeyError: the key is none.
            PermissionError: a symbolic link leads out of the folder.
        """
        path = self.root / check_key(key)
        try:
            real = path.resolve()
        except RuntimeError:
            # How Python before 3.13 tells of links that go round in circles.
            real = None
        if real != path:
            raise PermissionError(f"{path} leads elsewhere")
        return path

    def open_part(self) -> IO[bytes]:
        """A new file to write an object to; pass its name to `keep` or `drop`."""
        folder = self.root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / secrets.token_hex(16)).open("xb")

    def keep(self, part: IO[bytes], key: str, *, replace: bool) -> None:
        """Makes the part the object, at once and whole.

        Raises:
            ObjectExistsError: there is one, and it is not to be replaced.
        """
        part.flush()
        os.fsync(part.fileno())
        part.close()
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if replace:
            Path(part.name).replace(path)
            return
        try:
            # Unlike a rename, a link replaces nothing, not even what came in between.
            path.hardlink_to(part.name)
        except FileExistsError:
            raise ObjectExistsError from None
        finally:
            self.drop(part)

    def drop_old_parts(self) -> None:
        """Removes parts that a killed process has left behind."""
        end = time.time() - PART_AGE.total_seconds()
        for path in (self.root / PARTIAL).glob("*"):
            try:
                if path.stat().st_mtime < end:
                    path.unlink()
            except FileNotFoundError:
                # Another process that starts at the same time has seen to it.
                continue

    @staticmethod
    def drop(part: IO[bytes]) -> None:
        """Removes the part."""
        part.close()
        Path(part.name).unlink(missing_ok=True)

    def open(self, key: str) -> IO[bytes]:
        """The object, to be read.

        Raises:
            ObjectMissingError: there is none.
        """
        if self.find(key) is None:
            raise ObjectMissingError(key)
        try:
            return self.path(key).open("rb")
        except FileNotFoundError:
            # It has gone since.
            raise ObjectMissingError(key) from None

    def find(self, key: str) -> StoredObject | None:
        """What the disk knows of the object."""
        try:
            stat = self.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not S_ISREG(stat.st_mode):
            return None
        return StoredObject(key=key, size=stat.st_size, modified_at=datetime.fromtimestamp(stat.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Removes the object, if there is one."""
        if self.find(key) is not None:
            self.path(key).unlink(missing_ok=True)

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """The objects below a folder."""
        for folder, _, names in self.path(prefix).walk():
            for name in sorted(names):
                found = self.find((folder / name).relative_to(self.root).as_posix())
                if found is not None:
                    yield found
