"""The store on this machine's disk."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import batched
from typing import IO, Final
from urllib.parse import urlencode

import structlog

from app.core.db.models import utc_now
from app.storage.port import PresignedRequest, StorageUnavailableError, StoredObject
from app.storage.providers.local_disk import LocalDisk, ObjectExistsError
from app.storage.providers.local_links import LinkSigner, Permission

logger = structlog.stdlib.get_logger(__name__)

PIECE: Final = 256 * 1024
BATCH: Final = 1000


class LocalStorage:
    """See `Storage`.

    Args:
        disk: where the objects are.
        signer: signs the links.
        base: what stands before a key in a link.
    """

    def __init__(self, disk: LocalDisk, signer: LinkSigner, base: str) -> None:
        self.disk = disk
        self.signer = signer
        self._base = base

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:  # noqa: ARG002 - a disk keeps none
        """See `Storage.upload`."""
        await self._write(key, content, replace=True)

    async def receive(self, key: str, content: AsyncIterator[bytes]) -> None:
        """Stores an object that somebody sends with a link.

        Raises:
            ObjectExistsError: there is one already.
        """
        await self._write(key, content, replace=False)

    async def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.download`."""
        with _available():
            file = await asyncio.to_thread(self.disk.open, key)
        try:
            left = first
            while left is None or left > 0:
                with _available():
                    piece = await asyncio.to_thread(file.read, PIECE if left is None else min(PIECE, left))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece
        finally:
            file.close()

    async def find(self, key: str) -> StoredObject | None:
        """See `Storage.find`."""
        with _available():
            return await asyncio.to_thread(self.disk.find, key)

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        with _available():
            await asyncio.to_thread(self.disk.delete, key)

    async def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """See `Storage.list_files`."""
        with _available():
            found = await asyncio.to_thread(lambda: list(self.disk.walk(prefix)))
        for batch in batched(found, BATCH):
            yield batch

    async def presign_upload(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_upload`."""
        permission = Permission(expires=_seconds(expires_in), type=content_type, size=size)
        return self._presigned("PUT", key, permission, {"Content-Type": content_type})

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_download`."""
        return self._presigned(
            "GET", key, Permission(expires=_seconds(expires_in), type=content_type, name=filename), {}
        )

    def _presigned(self, method: str, key: str, permission: Permission, headers: dict[str, str]) -> PresignedRequest:
        query = urlencode(self.signer.sign(method, key, permission).model_dump(exclude_none=True))
        url = f"{self._base}/{key}?{query}"
        return PresignedRequest(method=method, url=url, headers=headers, expires_at=permission.expires_at)

    async def _write(self, key: str, content: AsyncIterator[bytes], *, replace: bool) -> None:
        with _available():
            part = await asyncio.to_thread(self.disk.open_part)
        try:
            await _fill(part, content)
            with _available():
                await asyncio.to_thread(self.disk.keep, part, key, replace=replace)
        except BaseException:
            # Cancelled ones, whose client has left, leave nothing behind either.
            self.disk.drop(part)
            raise


async def _fill(part: IO[bytes], content: AsyncIterator[bytes]) -> None:
    buffered = bytearray()
    async for piece in content:
        buffered += piece
        if len(buffered) >= PIECE:
            await _append(part, bytes(buffered))
            buffered.clear()
    await _append(part, bytes(buffered))


async def _append(part: IO[bytes], piece: bytes) -> None:
    with _available():
        await asyncio.to_thread(part.write, piece)


@contextmanager
def _available() -> Iterator[None]:
    """Tells what is the disk's trouble, such as being full, from what is the caller's."""
    try:
        yield
    except ObjectExistsError:
        raise
    except OSError as error:
        logger.error("storage_failed", provider="local", error=type(error).__name__, errno=error.errno)  # noqa: TRY400 - a path would say whose file it is
        raise StorageUnavailableError from error


def _seconds(expires_in: timedelta) -> int:
    return int((utc_now() + expires_in).timestamp())
