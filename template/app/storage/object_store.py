"""The object store that the application uses: the selected provider behind argument validation."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from app.core.runtime import Runtime
from app.storage.content_type import check_content_type
from app.storage.keys import check_key
from app.storage.port import PresignedRequest, Storage, StoredObject

LINK_LIFETIME: Final = timedelta(minutes=15)
MAX_LINK_LIFETIME: Final = timedelta(days=1)
CHUNK_SIZE: Final = 1024 * 1024


class ObjectStore:
    """Get it with `get_object_store(runtime)`, or in a route with `store: ObjectStoreDep`.

    Every method raises `StorageUnavailableError` (503) or `StorageFullError` (507) if the store fails, and
    `InvalidKeyError` for an invalid key. Don't hold a database connection while calling it.

    Args:
        provider: the selected store.
        max_upload_size: of a presigned upload, in bytes.
        rejects_spent_links: see `StorageProviderSpec`.
    """

    def __init__(self, provider: Storage, *, max_upload_size: int, rejects_spent_links: bool = False) -> None:
        self._provider = provider
        self.max_upload_size = max_upload_size
        self.rejects_spent_links = rejects_spent_links

    async def upload(self, key: str, content: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store or replace an object atomically.

        Args:
            key: of the object.
            content: all bytes, or an iterator of chunks.
            content_type: such as `image/png`.
        """
        chunks = _chunks(content) if isinstance(content, bytes) else content
        await self._provider.upload(check_key(key), chunks, content_type=check_content_type(content_type))

    def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content in chunks: `async for chunk in store.download(key)`.

        Args:
            key: of the object.
            first: yield only that many bytes from the start.

        Raises:
            ObjectMissingError: before the first chunk, if no object has this key.
        """
        return self._provider.download(check_key(key), first=first)

    async def find(self, key: str) -> StoredObject | None:
        """Return an object's metadata, or `None` if no object has this key."""
        return await self._provider.find(check_key(key))

    async def exists(self, key: str) -> bool:
        """Return whether an object has this key."""
        return await self.find(key) is not None

    async def delete(self, key: str) -> None:
        """Delete an object. Deleting a missing object is not an error."""
        await self._provider.delete(check_key(key))

    def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """Yield all objects in a folder, in batches: `async for objects in store.list_files("reports")`."""
        return self._provider.list_files(check_key(prefix))

    async def get_presigned_upload_url(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta = LINK_LIFETIME
    ) -> PresignedRequest:
        """Return a request that stores exactly one object of this type and size.

        Raises:
            ValueError: the size exceeds MAX_UPLOAD_SIZE, or the lifetime exceeds a day.
        """
        if not 0 < size <= self.max_upload_size:
            raise ValueError(f"The size must be between 1 and {self.max_upload_size} bytes (MAX_UPLOAD_SIZE).")
        return await self._provider.presign_upload(
            check_key(key), content_type=check_content_type(content_type), size=size, expires_in=_lifetime(expires_in)
        )

    async def get_presigned_download_url(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta = LINK_LIFETIME
    ) -> PresignedRequest:
        """Return a request that downloads one object; a browser saves it under `filename` and never displays it.

        Raises:
            ValueError: the lifetime exceeds a day.
        """
        return await self._provider.presign_download(
            check_key(key),
            filename=filename,
            content_type=check_content_type(content_type),
            expires_in=_lifetime(expires_in),
        )


def get_object_store(runtime: Runtime) -> ObjectStore:
    """Return the object store of a running application."""
    return runtime.resource(ObjectStore)


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK_SIZE):
        yield content[start : start + CHUNK_SIZE]


def _lifetime(value: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= value <= MAX_LINK_LIFETIME:
        raise ValueError("The lifetime of a link must be between one second and one day.")
    return value
