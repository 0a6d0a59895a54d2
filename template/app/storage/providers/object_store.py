"""A store in a bucket that speaks the protocol of Amazon S3."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import obstore
from obstore.store import S3Store

from app.core.db.models import utc_now
from app.kit.resilience import Resilient
from app.storage.names import attachment
from app.storage.port import ObjectMissingError, PresignedRequest, StoredObject
from app.storage.providers.object_store_errors import plain
from app.storage.providers.object_store_links import Credentials, Signable, presign
from app.storage.troubles import TroubleError, passes, unavailable

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Credential

BUCKET_NAME: Final = r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$"

PIECE: Final = 256 * 1024
PART: Final = 5 * 1024 * 1024
"""What is not larger goes in one request, else in parts of this size, the smallest that there may be."""
PARTS_AT_ONCE: Final = 2
BATCH: Final = 1000

CONNECTING: Final = timedelta(seconds=5)
PATIENCE: Final = timedelta(seconds=15)
"""How long a whole request may take, and how long a stream may stand still."""
LONGEST_STREAM: Final = timedelta(days=1)
RETRIES: Final = 2
FIRST_PAUSE: Final = timedelta(seconds=0.1)
LONGEST_PAUSE: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """Where it is, and who may use it.

    Attributes:
        url: of the bucket; a slash and a key after it are the URL of an object.
    """

    url: str
    credentials: Credentials


class ObjectStore:
    """See `Storage`.

    Whole requests are tried again here. What streams is tried again by the client library: it alone can take a download
    up where it has broken off, and send one part of many once more.

    Args:
        name: of the provider, for the log.
        bucket: that has all objects.
    """

    def __init__(self, name: str, bucket: Bucket) -> None:
        self.bucket = bucket
        self._name = name
        self._calls = Resilient(name, transient=passes, timeout=PATIENCE)
        self._store = _store(bucket, timeout=PATIENCE, retries=0)
        self._streams = _store(bucket, timeout=LONGEST_STREAM, retries=RETRIES)

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:
        """See `Storage.upload`. Parts that a killed process leaves are the bucket's to clear up, by a rule of its."""
        start = bytearray()
        async for piece in content:
            start += piece
            if len(start) > PART:
                await self._upload_parts(key, _chained(bytes(start), content), content_type)
                return
        attributes = {"Content-Type": content_type}
        put = partial(obstore.put_async, self._store, key, bytes(start), attributes=attributes, use_multipart=False)
        await self._call(None, put)

    async def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.download`."""
        options: obstore.GetOptions = {} if first is None else {"range": (0, first)}
        with unavailable(self._name):
            try:
                async with self._guarded(key):
                    found = await obstore.get_async(self._streams, key, options=options)
                    async for piece in found.stream(min_chunk_size=PIECE):
                        yield bytes(piece)
            except TroubleError as error:
                # An empty object has no start.
                if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise

    async def find(self, key: str) -> StoredObject | None:
        """See `Storage.find`."""
        try:
            found = await self._head(key)
        except ObjectMissingError:
            return None
        return StoredObject(
            key=key,
            size=found.meta["size"],
            modified_at=found.meta["last_modified"],
            content_type=found.attributes.get("Content-Type"),
        )

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        try:
            await self._call(key, partial(obstore.delete_async, self._store, key))
        except ObjectMissingError:
            return

    async def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """See `Storage.list_files`."""
        with unavailable(self._name):
            async with self._guarded():
                async for batch in obstore.list(self._streams, prefix, chunk_size=BATCH):
                    yield [
                        StoredObject(key=item["path"], size=item["size"], modified_at=item["last_modified"])
                        for item in batch
                    ]

    async def presign_upload(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_upload`. `Content-Length` is signed too; every client sends it of itself."""
        headers = {"Content-Type": content_type, "If-None-Match": "*"}
        signed = {**headers, "Content-Length": str(size)}
        return self._presigned("PUT", key, expires_in, headers=headers, signed=signed)

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_download`."""
        query = {"response-content-type": content_type, "response-content-disposition": attachment(filename)}
        return self._presigned("GET", key, expires_in, query=query)

    def _presigned(
        self,
        method: str,
        key: str,
        expires_in: timedelta,
        *,
        headers: Mapping[str, str] | None = None,
        signed: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> PresignedRequest:
        now = utc_now().replace(microsecond=0)
        seconds = int(expires_in.total_seconds())
        request = Signable(method=method, url=f"{self.bucket.url}/{key}", headers=signed or {}, query=query or {})
        url = presign(request, self.bucket.credentials, at=now, seconds=seconds)
        return PresignedRequest(
            method=method, url=url, headers=headers or {}, expires_at=now + timedelta(seconds=seconds)
        )

    async def _upload_parts(self, key: str, content: AsyncIterator[bytes], content_type: str) -> None:
        with unavailable(self._name):
            async with self._guarded():
                await obstore.put_async(
                    self._streams,
                    key,
                    content,
                    attributes={"Content-Type": content_type},
                    chunk_size=PART,
                    max_concurrency=PARTS_AT_ONCE,
                )

    async def _head(self, key: str) -> "GetResult":
        get = partial(obstore.get_async, self._store, key)
        try:
            return await self._call(key, partial(get, options={"head": True}))
        except ObjectMissingError:
            # Without a body it does not say whether the object is missing or the whole bucket; this one does.
            return await self._call(key, get)

    async def _call[T](self, key: str | None, attempt: Callable[[], Awaitable[T]]) -> T:
        async def plainly() -> T:
            with plain(key):
                return await attempt()

        with unavailable(self._name):
            return await self._calls.call(plainly)

    @asynccontextmanager
    async def _guarded(self, key: str | None = None) -> AsyncIterator[None]:
        async with self._calls.guard():
            with plain(key):
                yield


def _store(bucket: Bucket, *, timeout: timedelta, retries: int) -> S3Store:
    credential: S3Credential = {
        "access_key_id": bucket.credentials.access_key_id,
        "secret_access_key": bucket.credentials.secret_access_key.get_secret_value(),
        "token": None,
        "expires_at": None,
    }
    return S3Store(
        config={
            # The library would read these from the environment as well, of which it is not told everything.
            "aws_endpoint_url_s3": bucket.url,
            "virtual_hosted_style_request": True,
            "bucket": bucket.url.rpartition("/")[2],
            "region": bucket.credentials.region,
            # The request for many at once is not understood by all who speak the protocol.
            "disable_bulk_delete": True,
        },
        client_options={
            "allow_http": bucket.url.startswith("http://"),
            "connect_timeout": CONNECTING,
            "read_timeout": PATIENCE,
            "timeout": timeout,
        },
        retry_config={
            "max_retries": retries,
            "retry_timeout": 4 * PATIENCE,
            "backoff": {"init_backoff": FIRST_PAUSE, "max_backoff": LONGEST_PAUSE, "base": 2},
        },
        credential_provider=lambda: credential,
    )


async def _chained(start: bytes, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for piece in content:
        yield piece
