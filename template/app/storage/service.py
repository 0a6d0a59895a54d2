"""The store that the rest of the application uses: the selected provider, given only what is harmless."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends

from app.core.http.dependencies import RuntimeDep
from app.core.runtime import Runtime
from app.storage.file_types import check_content_type
from app.storage.keys import check_key
from app.storage.port import PresignedRequest, Storage, StoredObject

LINK_LIFETIME: Final = timedelta(minutes=15)
LONGEST_LIFETIME: Final = timedelta(days=1)
PIECE: Final = 1024 * 1024


class StorageService:
    """Read it with `get_storage_service(runtime)`, or in a route as `storage: StorageDep`.

    Every method raises `StorageUnavailableError` (503) where the store does not answer as it should, and
    `InvalidKeyError` for a key that is none. Hold no database connection while you call it.
    """

    def __init__(self, provider: Storage, *, max_upload_size: int) -> None:
        self._provider = provider
        self.max_upload_size = max_upload_size

    async def upload(self, key: str, content: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Stores an object, or replaces it, as a whole or not at all.

        Args:
            content: all of it, or an iterator of pieces.
        """
        pieces = _pieces(content) if isinstance(content, bytes) else content
        await self._provider.upload(check_key(key), pieces, content_type=check_content_type(content_type))

    def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """The content in pieces: `async for piece in storage.download(key)`; with `first`, that many bytes of it.

        Raises:
            ObjectMissingError: with the first piece, when there is no such object.
        """
        return self._provider.download(check_key(key), first=first)

    async def find(self, key: str) -> StoredObject | None:
        """Size and age of an object, if there is one."""
        return await self._provider.find(check_key(key))

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return await self.find(key) is not None

    async def delete(self, key: str) -> None:
        """Removes an object; no error when there is none."""
        await self._provider.delete(check_key(key))

    def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """All objects below a folder, in batches: `async for objects in storage.list_files("reports")`."""
        return self._provider.list_files(check_key(prefix))

    async def get_presigned_upload_url(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta = LINK_LIFETIME
    ) -> PresignedRequest:
        """A request with which its holder stores one object of this type and size, once.

        Raises:
            ValueError: the size is more than MAX_UPLOAD_SIZE, or the link would live for more than a day.
        """
        if not 0 < size <= self.max_upload_size:
            raise ValueError(f"An upload has 1 to {self.max_upload_size} bytes (MAX_UPLOAD_SIZE).")
        return await self._provider.presign_upload(
            check_key(key), content_type=check_content_type(content_type), size=size, expires_in=_lifetime(expires_in)
        )

    async def get_presigned_download_url(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta = LINK_LIFETIME
    ) -> PresignedRequest:
        """A request with which its holder reads one object; a browser saves it under the name and never shows it.

        Raises:
            ValueError: the link would live for more than a day.
        """
        return await self._provider.presign_download(
            check_key(key),
            filename=filename,
            content_type=check_content_type(content_type),
            expires_in=_lifetime(expires_in),
        )


def get_storage_service(runtime: Runtime) -> StorageService:
    """The store, of a running application."""
    return runtime.resource(StorageService)


async def _storage_service(runtime: RuntimeDep) -> StorageService:
    return get_storage_service(runtime)


StorageDep = Annotated[StorageService, Depends(_storage_service)]


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


def _lifetime(value: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= value <= LONGEST_LIFETIME:
        raise ValueError("A link lives for one second to one day.")
    return value
