"""A store in a bucket with the S3 protocol."""

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
from app.kit.resilience.resilient import Resilient
from app.storage.attachment_header import attachment_header
from app.storage.port import ObjectMissingError, PresignedRequest, StoredObject
from app.storage.providers.s3_protocol_errors import safe_errors
from app.storage.providers.s3_protocol_links import Credentials, Signable, presign
from app.storage.remote_errors import RemoteStorageError, is_transient, port_errors

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Credential

BUCKET_NAME: Final = r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$"

CHUNK_SIZE: Final = 256 * 1024
PART_SIZE: Final = 5 * 1024 * 1024
"""Smaller objects are sent in one request, larger ones in parts of this size, the minimum of the protocol."""
LARGE_PART_SIZE: Final = 16 * 1024 * 1024
"""For objects of up to 160 GB, such as backups."""
MAX_CONCURRENT_PARTS: Final = 2
BATCH_SIZE: Final = 1000

CONNECT_TIMEOUT: Final = timedelta(seconds=5)
REQUEST_TIMEOUT: Final = timedelta(seconds=15)
"""Timeout of a whole request, and of each read of a stream."""
STREAM_TIMEOUT: Final = timedelta(days=1)
RETRIES: Final = 2
INITIAL_BACKOFF: Final = timedelta(seconds=0.1)
MAX_BACKOFF: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A bucket and its credentials.

    Attributes:
        url: the bucket's URL; with a slash and a key appended, it is an object's URL.
    """

    url: str
    credentials: Credentials


class S3ProtocolStorage:
    """See `Storage`.

    Whole requests are retried here. Streams are retried by the client library, which can resume an interrupted download
    and retry a single part of an upload.

    Args:
        name: the provider's name, for the log.
        bucket: holds all objects.
        part_size: of uploads in parts, in bytes. An object has up to 10,000 parts.
    """

    def __init__(self, name: str, bucket: Bucket, *, part_size: int = PART_SIZE) -> None:
        self.bucket = bucket
        self._part_size = part_size
        self._name = name
        self._calls = Resilient(name, transient=is_transient, timeout=REQUEST_TIMEOUT)
        self._store = _store(bucket, timeout=REQUEST_TIMEOUT, retries=0)
        self._streams = _store(bucket, timeout=STREAM_TIMEOUT, retries=RETRIES)

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:
        """See `Storage.upload`. A lifecycle rule of the bucket should remove parts that a killed process leaves."""
        start = bytearray()
        async for chunk in content:
            start += chunk
            if len(start) > PART_SIZE:
                await self._upload_parts(key, _chained(bytes(start), content), content_type)
                return
        attributes = {"Content-Type": content_type}
        put = partial(obstore.put_async, self._store, key, bytes(start), attributes=attributes, use_multipart=False)
        await self._call(None, put)

    async def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.download`."""
        options: obstore.GetOptions = {} if first is None else {"range": (0, first)}
        with port_errors(self._name):
            try:
                async with self._guarded(key):
                    found = await obstore.get_async(self._streams, key, options=options)
                    async for chunk in found.stream(min_chunk_size=CHUNK_SIZE):
                        yield bytes(chunk)
            except RemoteStorageError as error:
                # An empty object has no range.
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
        with port_errors(self._name):
            async with self._guarded():
                async for batch in obstore.list(self._streams, prefix or None, chunk_size=BATCH_SIZE):
                    yield [
                        StoredObject(key=item["path"], size=item["size"], modified_at=item["last_modified"])
                        for item in batch
                    ]

    async def presign_upload(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_upload`. `Content-Length` is signed as well; every HTTP client sends it."""
        headers = {"Content-Type": content_type, "If-None-Match": "*"}
        signed = {**headers, "Content-Length": str(size)}
        return self._presigned("PUT", key, expires_in, headers=headers, signed=signed)

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta
    ) -> PresignedRequest:
        """See `Storage.presign_download`."""
        query = {"response-content-type": content_type, "response-content-disposition": attachment_header(filename)}
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
        with port_errors(self._name):
            async with self._guarded():
                await obstore.put_async(
                    self._streams,
                    key,
                    content,
                    attributes={"Content-Type": content_type},
                    chunk_size=self._part_size,
                    max_concurrency=MAX_CONCURRENT_PARTS,
                )

    async def _head(self, key: str) -> "GetResult":
        get = partial(obstore.get_async, self._store, key)
        try:
            return await self._call(key, partial(get, options={"head": True}))
        except ObjectMissingError:
            # Without a body, the response doesn't tell whether the object or the bucket is missing; this one does.
            return await self._call(key, get)

    async def _call[T](self, key: str | None, attempt: Callable[[], Awaitable[T]]) -> T:
        async def with_safe_errors() -> T:
            with safe_errors(key):
                return await attempt()

        with port_errors(self._name):
            return await self._calls.call(with_safe_errors)

    @asynccontextmanager
    async def _guarded(self, key: str | None = None) -> AsyncIterator[None]:
        async with self._calls.guard():
            with safe_errors(key):
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
            # Set explicitly: otherwise the library reads these from the environment.
            "aws_endpoint_url_s3": bucket.url,
            "virtual_hosted_style_request": True,
            "bucket": bucket.url.rpartition("/")[2],
            "region": bucket.credentials.region,
            # Not every compatible server supports bulk deletion.
            "disable_bulk_delete": True,
        },
        client_options={
            "allow_http": bucket.url.startswith("http://"),
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": REQUEST_TIMEOUT,
            "timeout": timeout,
        },
        retry_config={
            "max_retries": retries,
            "retry_timeout": 4 * REQUEST_TIMEOUT,
            "backoff": {"init_backoff": INITIAL_BACKOFF, "max_backoff": MAX_BACKOFF, "base": 2},
        },
        credential_provider=lambda: credential,
    )


async def _chained(start: bytes, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for chunk in content:
        yield chunk
