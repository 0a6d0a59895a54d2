"""The port for stores of files, for pieces that work on all files at once, such as backups."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class FileInfo(Protocol):
    """A file's metadata."""

    @property
    def key(self) -> str:
        """Its name in the store."""
        ...

    @property
    def size(self) -> int:
        """Its size in bytes."""
        ...

    @property
    def modified_at(self) -> datetime:
        """The time of its last change."""
        ...


class FileStore(Protocol):
    """A store of files. Methods raise an `AppError` if the store fails."""

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:
        """Store or replace a file atomically: if the iterator raises, nothing is stored."""
        ...

    def download(self, key: str) -> AsyncIterator[bytes]:
        """Yield the content in chunks.

        Raises:
            LookupError: before the first chunk, if there is no such file.
        """
        ...

    async def find(self, key: str) -> FileInfo | None:
        """Return a file's metadata, or `None` if there is no such file."""
        ...

    async def delete(self, key: str) -> None:
        """Delete a file. Deleting a missing file is not an error."""
        ...

    def list_files(self, prefix: str) -> AsyncIterator[Sequence[FileInfo]]:
        """Yield the files in the folder `prefix`, in batches. An empty prefix lists every file of the store."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FileStores:
    """The stores that the application is configured for, as a resource of the runtime. None is open yet.

    Attributes:
        name: the name of the selected store.
        is_local: whether the selected store is a disk of this machine.
        open: opens the selected store.
        open_bucket: opens another bucket with the same credentials, by its name. `None` if no provider with the S3
            protocol is configured.
    """

    name: str
    is_local: bool
    open: Callable[[], AbstractAsyncContextManager[FileStore]]
    open_bucket: Callable[[str], AbstractAsyncContextManager[FileStore]] | None
