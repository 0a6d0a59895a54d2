"""The store at Cloudinary."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from app.core.db.models import utc_now
from app.storage.port import ObjectMissingError, PresignedRequest, StoredObject
from app.storage.providers.cloudinary_api import CloudinaryApi

CHUNK_SIZE: Final = 256 * 1024
BATCH_SIZE: Final = 500
SIGNATURE_LIFETIME: Final = timedelta(hours=1)
"""Time for which Cloudinary accepts a signature after its timestamp."""
RESOURCES: Final = "resources/raw/authenticated"
_INTERNAL_LINK_LIFETIME: Final = timedelta(minutes=15)


class CloudinaryStorage:
    """See `Storage`. Assets aren't converted (`raw`), and need a signature to be delivered (`authenticated`)."""

    def __init__(self, api: CloudinaryApi) -> None:
        self.api = api

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:  # noqa: ARG002 - raw assets have none
        """See `Storage.upload`. The content is spooled to disk, since a form starts with its length."""
        with tempfile.TemporaryFile() as file:
            async for chunk in content:
                await asyncio.to_thread(file.write, chunk)
            parameters = {**_asset(key), "overwrite": "true", "invalidate": "true", "timestamp": _seconds(utc_now())}
            await self.api.post("raw/upload", parameters, file)

    async def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.download`."""
        headers = {"Accept-Encoding": "identity"} | ({} if first is None else {"Range": f"bytes=0-{first - 1}"})
        left = first
        try:
            async for chunk in self.api.stream(self._download_url(key, _INTERNAL_LINK_LIFETIME), headers, CHUNK_SIZE):
                # A server may ignore the range.
                yield chunk if left is None else chunk[:left]
                left = None if left is None else left - len(chunk)
                if left is not None and left <= 0:
                    return
        except LookupError:
            raise ObjectMissingError(key) from None

    async def find(self, key: str) -> StoredObject | None:
        """See `Storage.find`."""
        try:
            return _stored(await self.api.admin_get(f"{RESOURCES}/{key}"))
        except LookupError:
            return None

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        await self.api.post("raw/destroy", {**_asset(key), "invalidate": "true", "timestamp": _seconds(utc_now())})

    async def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """See `Storage.list_files`."""
        query = {"prefix": f"{prefix}/", "max_results": str(BATCH_SIZE)}
        while True:
            answer = await self.api.admin_get(RESOURCES, query)
            yield [_stored(item) for item in answer["resources"]]
            if not answer.get("next_cursor"):
                return
            query["next_cursor"] = answer["next_cursor"]

    async def presign_upload(
        self,
        key: str,
        *,
        content_type: str,  # noqa: ARG002 - Cloudinary cannot bind it
        size: int,  # noqa: ARG002 - nor this; the confirmation checks both
        expires_in: timedelta,
    ) -> PresignedRequest:
        """See `Storage.presign_upload`. The link expires after at most an hour, and binds neither size nor type."""
        expires_at = (utc_now() + min(expires_in, SIGNATURE_LIFETIME)).replace(microsecond=0)
        fields = self.api.signed({**_asset(key), "overwrite": "false", "timestamp": _timestamp(expires_at)})
        return PresignedRequest(method="POST", url=f"{self.api.url}/raw/upload", expires_at=expires_at, fields=fields)

    async def presign_download(
        self,
        key: str,
        *,
        filename: str,  # noqa: ARG002 - the name is the last part of the key
        content_type: str,  # noqa: ARG002 - raw assets have none
        expires_in: timedelta,
    ) -> PresignedRequest:
        """See `Storage.presign_download`."""
        expires_at = (utc_now() + expires_in).replace(microsecond=0)
        return PresignedRequest(method="GET", url=self._download_url(key, expires_in), expires_at=expires_at)

    def _download_url(self, key: str, expires_in: timedelta) -> str:
        expires_at = utc_now() + expires_in
        parameters = {
            **_asset(key),
            "attachment": "true",
            "expires_at": _seconds(expires_at),
            "timestamp": _timestamp(expires_at),
        }
        return f"{self.api.url}/raw/download?{urlencode(self.api.signed(parameters))}"


def _asset(key: str) -> dict[str, str]:
    return {"public_id": key, "type": "authenticated"}


def _stored(item: dict[str, Any]) -> StoredObject:
    return StoredObject(
        key=item["public_id"], size=item["bytes"], modified_at=datetime.fromisoformat(item["created_at"])
    )


def _timestamp(expires_at: datetime) -> str:
    """Return the timestamp with which the signature expires at `expires_at`, or earlier."""
    return _seconds(min(utc_now(), expires_at - SIGNATURE_LIFETIME))


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))
