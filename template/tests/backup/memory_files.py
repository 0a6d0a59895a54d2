"""A store of files in memory, in place of the storage module, which may not be part of the project."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.core.ports.file_stores import FileStore, FileStores

MODIFIED_AT: Final = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryFile:
    """See `FileInfo`."""

    key: str
    size: int
    modified_at: datetime = MODIFIED_AT


class MemoryFiles:
    """See `FileStore`.

    Attributes:
        files: the content by the key.
        fails: whether every upload fails.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.fails = False

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:  # noqa: ARG002
        """See `FileStore.upload`."""
        chunks = [chunk async for chunk in content]
        if self.fails:
            raise ConnectionError("The store is down.")
        self.files[key] = b"".join(chunks)

    async def download(self, key: str) -> AsyncIterator[bytes]:
        """See `FileStore.download`."""
        if key not in self.files:
            raise LookupError(key)
        yield self.files[key]

    async def find(self, key: str) -> MemoryFile | None:
        """See `FileStore.find`."""
        return MemoryFile(key=key, size=len(self.files[key])) if key in self.files else None

    async def delete(self, key: str) -> None:
        """See `FileStore.delete`."""
        self.files.pop(key, None)

    async def list_files(self, prefix: str) -> AsyncIterator[Sequence[MemoryFile]]:
        """See `FileStore.list_files`."""
        yield [
            MemoryFile(key=key, size=len(value))
            for key, value in sorted(self.files.items())
            if not prefix or key.startswith(f"{prefix}/")
        ]


def stores_of(store: MemoryFiles, *, is_local: bool = True) -> FileStores:
    """Return the resource that offers the store, also as every bucket."""

    @asynccontextmanager
    async def open_store(_name: str = "") -> AsyncIterator[FileStore]:
        yield store

    return FileStores(name="memory", is_local=is_local, open=open_store, open_bucket=open_store)
