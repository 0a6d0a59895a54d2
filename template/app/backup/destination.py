"""Places of backups: a folder, or a folder in a bucket."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import IO, Final, Protocol

from app.backup.archive import READ_SIZE
from app.backup.errors import BackupError, DamagedError
from app.backup.stage import Stage

CHECKSUM_SUFFIX: Final = ".sha256"
TIME: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"(?P<project>[a-z0-9-]{1,60})-(?P<time>\d{8}T\d{6}Z)\.tar(?P<age>\.age)?")
_CHECKSUM: Final = re.compile(r"([0-9a-f]{64})  (\S+)\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredBackup:
    """A complete backup in a destination.

    Attributes:
        name: of the file.
        project: the project's name in it.
        size: in bytes.
        created_at: from its name.
        encrypted: whether age encrypted it.
    """

    name: str
    project: str
    size: int
    created_at: datetime
    encrypted: bool


class Destination(Protocol):
    """A place of backups. Methods raise a `BackupError` or an `AppError` if it fails."""

    @property
    def shown(self) -> str:
        """Its folder or URL."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the lock of commands that write, until the end of the block.

        Raises:
            BackupError: another command holds it.
        """
        ...

    def save(self, name: str, content: Stage) -> int:
        """Store a backup with its checksum, and return its size. It gets its name when it is complete.

        Raises:
            BackupError: a backup of this name exists, or the disk is full.
        """
        ...

    def backups(self) -> list[StoredBackup]:
        """Return the complete backups of this project, the newest first."""
        ...

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a backup for reading."""
        ...

    def checksum(self, name: str) -> str | None:
        """Return the content of the checksum file, or `None` if there is none."""
        ...

    def delete(self, name: str) -> None:
        """Delete a backup and its checksum."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupFile:
    """A backup that a command reads, perhaps more than once.

    Attributes:
        shown: its path or URL.
        name: its name.
        open: opens it.
        checksum: returns the content of its checksum file.
    """

    shown: str
    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    checksum: Callable[[], str | None]

    @classmethod
    def of(cls, destination: Destination, name: str) -> "BackupFile":
        """Return a backup of a destination."""
        return cls(
            shown=f"{destination.shown}/{name}",
            name=name,
            open=lambda: destination.open(name),
            checksum=lambda: destination.checksum(name),
        )

    def verify_checksum(self) -> bool:
        """Compare the file with its checksum. Needs no identity.

        Returns:
            Whether there is a checksum file.

        Raises:
            DamagedError: they differ.
        """
        expected = self.checksum()
        if expected is None:
            return False
        digest = sha256()
        with self.open() as file:
            while chunk := file.read(READ_SIZE):
                digest.update(chunk)
        match = _CHECKSUM.fullmatch(expected)
        if match is None or match[1] != digest.hexdigest():
            raise DamagedError("it differs from its checksum file")
        return True


def backup_name(project: str, time: datetime, *, encrypted: bool) -> str:
    """Return the file name of a backup."""
    return f"{slug(project)}-{time.astimezone(UTC).strftime(TIME)}.tar{'.age' if encrypted else ''}"


def slug(project: str) -> str:
    """Return the name of a project in file names."""
    return re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")[:60].strip("-") or "app"


def parse_name(name: str, size: int) -> StoredBackup | None:
    """Return the backup that has this name, or `None` if it is not the name of a backup."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        created_at = datetime.strptime(match["time"], TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return StoredBackup(
        name=name, project=match["project"], size=size, created_at=created_at, encrypted=match["age"] is not None
    )


def checksum_line(name: str, digest: str) -> str:
    """Return the content of a checksum file, as `sha256sum --check` reads it."""
    return f"{digest}  {name}\n"


def newest_first(found: Iterator[StoredBackup | None], project: str) -> list[StoredBackup]:
    """Return a project's backups among the files of a destination, the newest first."""
    backups = [backup for backup in found if backup is not None and backup.project == project]
    return sorted(backups, key=lambda backup: (backup.created_at, backup.name), reverse=True)


def name_taken(name: str) -> BackupError:
    """Return the error for a name that exists already."""
    return BackupError(f"{name} exists already: another command wrote it at the same time. Try again.")
