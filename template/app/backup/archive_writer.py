"""Write a backup as a stream."""

from collections.abc import Iterable, Iterator
from typing import IO

from app.backup.archive import (
    BLOCK,
    DATABASE,
    FILES,
    LISTING,
    MANIFEST,
    MAX_MANIFEST,
    PART_SIZE,
    ContentDigest,
    header,
    is_name,
    padding,
)
from app.backup.errors import BackupError
from app.backup.manifest import Manifest


class FileChangedError(BackupError):
    """A file became shorter or longer while it was read."""

    def __init__(self) -> None:
        super().__init__("A stored file changed while it was read. The backup was not written. Try again.")


class ArchiveWriter:
    """A writer of a backup: the database, the files or their list, and the manifest, in this order."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target

    def database(self, content: Iterable[bytes]) -> ContentDigest:
        """Write the dump."""
        return self._parts(DATABASE, content)

    def listing(self, content: Iterable[bytes]) -> ContentDigest:
        """Write the list of the files."""
        return self._parts(LISTING, content)

    def file(self, key: str, size: int, content: Iterable[bytes], digest: ContentDigest) -> None:
        """Write a stored file.

        Raises:
            FileChangedError: the content has another size.
        """
        if not is_name(FILES, key):
            raise BackupError("A stored file has a name that a backup cannot contain. The backup was not written.")
        digest.begin(key, size)
        left = size
        self._target.write(header(f"{FILES}/{key}", size))
        for chunk in content:
            left -= len(chunk)
            if left < 0:
                raise FileChangedError
            digest.update(chunk)
            self._target.write(chunk)
        if left:
            raise FileChangedError
        self._target.write(padding(size))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the end of the archive."""
        content = manifest.model_dump_json(indent=2).encode()
        if len(content) > MAX_MANIFEST:
            raise BackupError("The database has too many tables for a backup's manifest.")
        self._member(MANIFEST, content)
        self._target.write(bytes(2 * BLOCK))

    def _parts(self, folder: str, content: Iterable[bytes]) -> ContentDigest:
        digest = ContentDigest()
        for number, part in enumerate(_parts(content), 1):
            digest.update(part)
            self._member(f"{folder}/{number:08}", part)
        return digest

    def _member(self, name: str, content: bytes) -> None:
        self._target.write(header(name, len(content)))
        self._target.write(content)
        self._target.write(padding(len(content)))


def _parts(content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content in parts of the same size; the last one may be shorter."""
    waiting = bytearray()
    for chunk in content:
        waiting += chunk
        while len(waiting) >= PART_SIZE:
            yield bytes(waiting[:PART_SIZE])
            del waiting[:PART_SIZE]
    if waiting:
        yield bytes(waiting)
