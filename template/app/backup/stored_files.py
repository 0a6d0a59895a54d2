"""The stored files of a backup: their content if they are on this machine, a list of them if they are in a bucket."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Final

from app.backup.archive import ContentDigest
from app.backup.archive_writer import ArchiveWriter
from app.backup.errors import BackupError
from app.backup.manifest import FileContents
from app.backup.portal import Portal
from app.core.ports.file_stores import FileInfo, FileStore, FileStores

CONTENT_TYPE: Final = "application/octet-stream"


def write_files(writer: ArchiveWriter, portal: Portal, stores: FileStores) -> FileContents:
    """Write all stored files, or the list of them, to a backup."""
    with portal.enter(stores.open()) as store:
        if stores.is_local:
            digest = _copy(writer, portal, store)
            return FileContents(store=stores.name, copied=True, count=digest.count, size=digest.size, sha256=digest.hex)
        total = ContentDigest()
        listing = writer.listing(_lines(portal, store, total))
        return FileContents(store=stores.name, copied=False, count=total.count, size=total.size, sha256=listing.hex)


def _copy(writer: ArchiveWriter, portal: Portal, store: FileStore) -> ContentDigest:
    digest = ContentDigest()
    for info in _all(portal, store):
        content = portal.iterate(store.download(info.key))
        try:
            first = next(content, b"")
        except LookupError:
            # It was deleted after it was listed.
            continue
        writer.file(info.key, info.size, _chained(first, content), digest)
    return digest


def _lines(portal: Portal, store: FileStore, total: ContentDigest) -> Iterator[bytes]:
    for info in _all(portal, store):
        total.count += 1
        total.size += info.size
        yield json.dumps({"key": info.key, "size": info.size}).encode() + b"\n"


def _all(portal: Portal, store: FileStore) -> Iterator[FileInfo]:
    for batch in portal.iterate(store.list_files("")):
        yield from batch


def _chained(first: bytes, content: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from content


class FilesRestore:
    """A restore of stored files into the selected store. Files that it has already are skipped."""

    def __init__(self, portal: Portal, store: FileStore) -> None:
        self._portal = portal
        self._store = store
        self.written = self.present = 0

    def file(self, key: str, size: int, content: Iterator[bytes]) -> None:
        """Write a file.

        Raises:
            BackupError: the store has another file under this key.
        """
        found = self._portal.call(self._store.find(key))
        if found is None:
            self._portal.call(self._store.upload(key, _iterated(content), content_type=CONTENT_TYPE))
            self.written += 1
        elif found.size == size:
            # Keys are random, and the file of a key never changes.
            self.present += 1
        else:
            raise BackupError(
                f"The store has another file under the key {key}. Nothing was changed. Move it away, then try again."
            )


async def _iterated(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    # In a thread: the content may itself be a download through the same event loop.
    while chunk := await asyncio.to_thread(next, content, b""):
        yield chunk
