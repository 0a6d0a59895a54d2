"""The contract of all stores. A provider's tests inherit from the class."""

from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx
import pytest

from app.core.runtime import Runtime
from app.storage.keys import InvalidKeyError
from app.storage.object_store import ObjectStore
from app.storage.port import ObjectMissingError, PresignedRequest, StorageUnavailableError
from tests.storage.conftest import MAX_UPLOAD
from tests.storage.files_contract import FilesContract
from tests.storage.objects import content, keys
from tests.storage.requests import PNG, send

FOLDER = "uploads"
KEY = f"{FOLDER}/ada/0123456789abcdef"
"""Not a user's file, so it needs no row."""
BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a/./b",
    "a//b",
    "a/",
    ".a",
    "a/.b",
    "a.",
    "a\\b",
    "a\0",
    "a b",
    "ä",
]


def another(key: str) -> str:
    """Return the key of another object."""
    return key.replace("abcdef", "fedcba")


def altered(link: PresignedRequest) -> PresignedRequest:
    """Return the link, altered for another object."""
    url = urlsplit(link.url)
    return PresignedRequest(
        method=link.method,
        url=urlunsplit(url._replace(path=another(url.path), query=another(url.query))),
        headers=link.headers,
        fields={name: another(value) for name, value in link.fields.items()},
        expires_at=link.expires_at,
    )


class StorageContract(FilesContract):
    """A store keeps objects, and its links permit nothing else than they should."""

    binds_size: ClassVar[bool] = True
    """Whether the store itself refuses an upload of another size; where not, the confirmation does."""
    binds_type: ClassVar[bool] = True
    serves_names: ClassVar[bool] = True
    """Whether a download link names the type and the file."""

    async def test_keeps_an_object(self, storage: ObjectStore) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")

        found = await storage.find(KEY)
        assert found is not None
        assert (found.key, found.size, found.content_type) in {
            (KEY, len(PNG), "image/png"),
            (KEY, len(PNG), None),
        }
        assert await storage.exists(KEY)
        assert await content(storage, KEY) == PNG
        assert await content(storage, KEY, first=8) == PNG[:8]
        assert await content(storage, KEY, first=10**6) == PNG

    async def test_streams_a_large_object(self, storage: ObjectStore) -> None:
        piece = bytes(range(256)) * 4096

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(6):
                yield piece

        await storage.upload(KEY, pieces(), content_type="application/octet-stream")

        received = [received async for received in storage.download(KEY)]
        assert len(received) > 1
        assert b"".join(received) == piece * 6

    async def test_replaces_an_object(self, storage: ObjectStore) -> None:
        await storage.upload(KEY, b"old", content_type="text/plain")
        await storage.upload(KEY, b"new and longer", content_type="text/plain")

        assert await content(storage, KEY) == b"new and longer"

    async def test_keeps_nothing_of_an_interrupted_upload(self, storage: ObjectStore) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"x" * 1000
            raise LookupError

        with pytest.raises(LookupError):
            await storage.upload(KEY, pieces(), content_type="text/plain")

        assert not await storage.exists(KEY)
        assert await keys(storage, FOLDER) == []

    async def test_a_missing_object_is_reported(self, storage: ObjectStore) -> None:
        assert await storage.find(KEY) is None
        assert not await storage.exists(KEY)
        with pytest.raises(ObjectMissingError):
            await content(storage, KEY)
        with pytest.raises(ObjectMissingError):
            await content(storage, KEY, first=5)

    async def test_deleting_an_object_is_idempotent(self, storage: ObjectStore) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        await storage.delete(KEY)
        await storage.delete(KEY)

        assert not await storage.exists(KEY)

    async def test_lists_a_folder(self, storage: ObjectStore) -> None:
        for key in ("files/a/1", "files/a/2", "files/ab/3", "other/4"):
            await storage.upload(key, b"x", content_type="text/plain")

        assert await keys(storage, "files/a") == ["files/a/1", "files/a/2"]
        assert await keys(storage, "files") == ["files/a/1", "files/a/2", "files/ab/3"]
        assert await keys(storage, "nothing") == []

    @pytest.mark.parametrize("key", [*BAD_KEYS, "a" * 201], ids=lambda key: ascii(key)[:12])
    async def test_an_invalid_key_is_refused(self, storage: ObjectStore, key: str) -> None:
        for call in (storage.find, storage.delete, storage.exists):
            with pytest.raises(InvalidKeyError):
                await call(key)
        with pytest.raises(InvalidKeyError):
            await storage.get_presigned_upload_url(key, content_type="image/png", size=1)

    async def test_a_link_uploads(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))

        assert (await send(web, link, PNG)).is_success
        assert await content(storage, KEY) == PNG

    async def test_a_link_uploads_once(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))
        await send(web, link, PNG)
        await send(web, link, PNG[::-1])

        assert await content(storage, KEY) == PNG

    async def test_a_link_is_for_one_size(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        if not self.binds_size:
            return
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))
        for other in (PNG + b"x", PNG[:-1], b""):
            assert (await send(web, link, other)).is_client_error

        assert not await storage.exists(KEY)

    async def test_a_link_is_for_one_type(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        if not self.binds_type:
            return
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))

        assert (await send(web, link, PNG, headers={"Content-Type": "text/html"})).is_client_error
        assert not await storage.exists(KEY)

    async def test_a_link_is_for_one_object(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        await storage.upload(another(KEY), b"secret", content_type="text/plain")
        up = await storage.get_presigned_upload_url(f"{KEY}abcdef", content_type="image/png", size=len(PNG))
        down = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")

        assert (await send(web, altered(up), PNG)).is_client_error
        assert (await send(web, altered(down))).is_client_error
        assert len(await keys(storage, FOLDER)) == 2

    async def test_a_link_is_for_one_method(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        down = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        for method in ("PUT", "DELETE", "POST"):
            assert (await send(web, down, b"x", method=method)).is_client_error

        assert await content(storage, KEY) == PNG

    async def test_a_link_downloads_a_file_to_be_saved(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="Katze “1”.png", content_type="image/png")
        answer = await send(web, link)

        assert answer.status_code == 200
        assert answer.content == PNG
        if self.serves_names:
            assert answer.headers["Content-Type"] == "image/png"
            disposition = answer.headers["Content-Disposition"]
            assert disposition.startswith("attachment;")
            assert "filename*=UTF-8''Katze%20%E2%80%9C1%E2%80%9D.png" in disposition

    async def test_a_link_to_a_missing_object_is_not_found(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")

        assert (await send(web, link)).status_code == 404

    async def test_no_link_carries_a_secret(self, storage: ObjectStore, runtime: Runtime) -> None:
        up = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=1)
        down = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        sent = f"{up}{down}{parse_qs(urlsplit(up.url).query)}"

        assert runtime.settings.SECRET_KEY.get_secret_value() not in sent
        assert "very-secret" not in sent

    async def test_a_failing_store_is_unavailable(self, storage: ObjectStore, runtime: Runtime) -> None:
        self.break_down(runtime)
        with pytest.raises(StorageUnavailableError):
            await storage.upload(KEY, b"x", content_type="text/plain")
        with pytest.raises(StorageUnavailableError):
            await storage.find(KEY)
        with pytest.raises(StorageUnavailableError):
            await content(storage, KEY)
        with pytest.raises(StorageUnavailableError):
            await storage.delete(KEY)

    def test_the_maximum_size_comes_from_the_settings(self, storage: ObjectStore) -> None:
        assert storage.max_upload_size == MAX_UPLOAD
