"""The store on this machine's disk."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from io import FileIO
from itertools import batched
from typing import Final
from urllib.parse import urlencode

import structlog

from app.core.db.models import utc_now
from app.storage.port import PresignedRequest, StorageFullError, StorageUnavailableError, StoredObject
from app.storage.providers.local_disk import FULL_ERRNOS, LocalDisk, ObjectExistsError
from app.storage.providers.local_links import LinkSigner, Permission

logger = structlog.stdlib.get_logger(__name__)

CHUNK_SIZE: Final = 256 * 1024
BATCH_SIZE: Final = 1000
THREADS: Final = 8
"""Operations on the disk at the same time."""


class LocalStorage:
    """See `Storage`.

    Args:
        disk: keeps the objects.
        signer: signs the links.
        base_url: the absolute URL that keys are appended to in links.
    """

    def __init__(self, disk: LocalDisk, signer: LinkSigner, base_url: str) -> None:
        self.disk = disk
        self.signer = signer
        self._base_url = base_url
        # asyncio's own threads also resolve names: with a slow DNS server, files would wait.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")

    def close(self) -> None:
        """End the threads, without waiting for operations on the disk that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks in a thread of this store."""
        call = partial(copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:  # noqa: ARG002 - files have none
        """See `Storage.upload`."""
        await self._write(key, content, replace=True)

    async def receive(self, key: str, content: AsyncIterator[bytes]) -> None:
        """Store an object that is uploaded with a link.

        Raises:
            ObjectExistsError: an object has this key already.
        """
        await self._write(key, content, replace=False)

    async def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.download`."""
        with _port_errors():
            file = await self.run(self.disk.open, key)
        try:
            left = first
            while left is None or left > 0:
                with _port_errors():
                    chunk = await self.run(file.read, CHUNK_SIZE if left is None else min(CHUNK_SIZE, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    async def find(self, key: str) -> StoredObject | None:
        """See `Storage.find`."""
        with _port_errors():
            return await self.run(self.disk.find, key)

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        with _port_errors():
            await self.run(self.disk.delete, key)

    async def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """See `Storage.list_files`."""
        with _port_errors():
            batches = await self.run(lambda: batched(self.disk.walk(prefix), BATCH_SIZE))
        while True:
            with _port_errors():
                batch = await self.run(next, batches, ())
            if not batch:
                return
            yield batch

    async def presign_upload(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_upload`."""
        permission = Permission(expires=_timestamp(expires_in), type=content_type, size=size)
        return self._presigned("PUT", key, permission, {"Content-Type": content_type})

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_download`."""
        permission = Permission(expires=_timestamp(expires_in), type=content_type, name=filename)
        return self._presigned("GET", key, permission, {})

    async def check_space(self) -> None:
        """Raise `StorageFullError` if the disk has too little free space."""
        with _port_errors():
            await self.run(self.disk.check_space)

    def _presigned(self, method: str, key: str, permission: Permission, headers: dict[str, str]) -> PresignedRequest:
        query = urlencode(self.signer.sign(method, key, permission).model_dump(exclude_none=True))
        url = f"{self._base_url}/{key}?{query}"
        return PresignedRequest(method=method, url=url, headers=headers, expires_at=permission.expires_at)

    async def _write(self, key: str, content: AsyncIterator[bytes], *, replace: bool) -> None:
        with _port_errors():
            file = await self.run(self.disk.open_partial)
        try:
            await self._fill(file, content)
            with _port_errors():
                await self.run(self.disk.commit, file, key, replace=replace)
        except BaseException:
            # Also when the request is cancelled because its client has disconnected.
            self.disk.discard(file)
            raise

    async def _fill(self, file: FileIO, content: AsyncIterator[bytes]) -> None:
        buffered = bytearray()
        async for chunk in content:
            buffered += chunk
            if len(buffered) >= CHUNK_SIZE:
                await self._append(file, bytes(buffered))
                buffered.clear()
        await self._append(file, bytes(buffered))

    async def _append(self, file: FileIO, chunk: bytes) -> None:
        with _port_errors():
            await self.run(self.disk.append, file, chunk)


@contextmanager
def _port_errors() -> Iterator[None]:
    """Raise the port's errors for those of the disk."""
    try:
        yield
    except ObjectExistsError:
        raise
    except OSError as error:
        # No traceback: the path shows whose file it is.
        logger.error("storage_failed", provider="local", error=type(error).__name__, errno=error.errno)  # noqa: TRY400
        if error.errno in FULL_ERRNOS:
            raise StorageFullError from error
        raise StorageUnavailableError from error


def _timestamp(expires_in: timedelta) -> int:
    return int((utc_now() + expires_in).timestamp())
