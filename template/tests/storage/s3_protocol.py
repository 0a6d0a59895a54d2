"""The contract of stores with the S3 protocol."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from app.core.runtime import Runtime
from app.storage.object_store import ObjectStore
from app.storage.port import StorageUnavailableError
from tests.fakes.bucket_server import BucketServer
from tests.fakes.server import FakeServer, serving
from tests.storage.contract import FOLDER, KEY
from tests.storage.objects import content, keys
from tests.storage.remote_contract import RemoteStorageContract
from tests.storage.requests import PNG, send

KEY_ID: Final = "AKIAEXAMPLE"
SECRET: Final = "very-secret-of-the-bucket"


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """The fake store, its server and the test's bucket."""

    server: BucketServer
    web: FakeServer
    bucket: str


class S3ProtocolContract(RemoteStorageContract):
    """Links with correct signatures, and errors that reveal nothing."""

    @pytest.fixture(scope="class")
    @classmethod
    def served(cls) -> Iterator[tuple[BucketServer, FakeServer]]:
        """The fake store, which takes a second to start."""
        server = BucketServer()
        server.keys[KEY_ID] = SECRET
        with serving(server.answer) as web:
            yield server, web

    @pytest.fixture
    def store(self, served: tuple[BucketServer, FakeServer]) -> Iterator[Store]:
        """The fake store with a new bucket."""
        server, web = served
        bucket = f"bucket-{uuid4().hex}"
        server.make_bucket(bucket, urlsplit(web.url).netloc)
        web.requests.clear()
        yield Store(server=server, web=web, bucket=bucket)
        server.is_down, server.ahead = False, timedelta(0)
        server.keys[KEY_ID] = SECRET

    @pytest.fixture(autouse=True)
    def broken(self, store: Store) -> None:
        """Keep the fake for `break_down`."""
        self._store = store

    def break_down(self, runtime: Runtime) -> None:  # noqa: ARG002 - the local store needs it
        self._store.server.is_down = True

    async def test_an_upload_link_signs_type_size_and_no_replacement(self, storage: ObjectStore) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=7)
        query = parse_qs(urlsplit(link.url).query)

        assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;if-none-match"]
        assert query["X-Amz-Expires"] == ["900"]
        assert dict(link.headers) == {"Content-Type": "image/png", "If-None-Match": "*"}

    async def test_a_link_requires_the_header_against_replacement(
        self, storage: ObjectStore, web: httpx.AsyncClient
    ) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))

        assert (await web.put(link.url, content=PNG, headers={"Content-Type": "image/png"})).status_code == 403
        assert not await storage.exists(KEY)

    async def test_a_link_expires(self, storage: ObjectStore, web: httpx.AsyncClient, store: Store) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        lifetime = timedelta(seconds=60)
        down = await storage.get_presigned_download_url(
            KEY, filename="a.png", content_type="image/png", expires_in=lifetime
        )
        up = await storage.get_presigned_upload_url(
            f"{KEY}2", content_type="image/png", size=len(PNG), expires_in=lifetime
        )
        store.server.ahead = timedelta(seconds=50)
        assert (await send(web, down)).status_code == 200
        store.server.ahead = timedelta(seconds=61)
        assert (await send(web, down)).status_code == 403
        assert (await send(web, up, PNG)).status_code == 403

    async def test_the_name_in_a_link_is_signed(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")

        assert (await web.get(link.url.replace("image%2Fpng", "text%2Fhtml"))).status_code == 403
        assert (await web.get(link.url.replace("attachment", "inline"))).status_code == 403

    async def test_keeps_the_type(self, storage: ObjectStore) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        found = await storage.find(KEY)

        assert found is not None
        assert found.content_type == "image/png"

    async def test_an_empty_object_has_no_range(self, storage: ObjectStore) -> None:
        await storage.upload(KEY, b"", content_type="text/plain")

        assert await content(storage, KEY, first=5) == b""
        assert await content(storage, KEY) == b""

    async def test_a_large_object_is_sent_in_parts_and_leaves_none_when_interrupted(
        self, storage: ObjectStore, store: Store
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(6):
                yield bytes(1024 * 1024)
            raise FileNotFoundError(2, "the source is gone")

        with pytest.raises(FileNotFoundError, match="the source is gone"):
            await storage.upload(KEY, pieces(), content_type="text/plain")

        assert [request.method for request in store.web.requests][-1] == "DELETE"
        assert await keys(storage, FOLDER) == []

    async def test_transient_errors_are_retried(
        self, storage: ObjectStore, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        store.server.failures = 2
        await storage.upload(KEY, PNG, content_type="image/png")
        logged = capsys.readouterr().out
        assert logged.count("call_retried") == 2
        assert KEY not in logged
        store.server.failures = 2
        assert await content(storage, KEY) == PNG
        store.server.failures = 2
        assert await storage.exists(KEY)

    async def test_a_store_that_keeps_failing_is_not_called(self, storage: ObjectStore, store: Store) -> None:
        store.server.is_down = True
        for _ in range(4):
            with pytest.raises(StorageUnavailableError):
                await storage.exists(KEY)

        assert len(store.web.requests) == 5

    async def test_a_missing_bucket_does_not_look_empty(
        self, storage: ObjectStore, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        store.server.drop_bucket(store.bucket, urlsplit(store.web.url).netloc)
        with pytest.raises(StorageUnavailableError):
            await storage.upload(KEY, PNG, content_type="image/png")
        with pytest.raises(StorageUnavailableError):
            await content(storage, KEY)
        with pytest.raises(StorageUnavailableError):
            await storage.find(KEY)
        with pytest.raises(StorageUnavailableError):
            await storage.delete(KEY)
        with pytest.raises(StorageUnavailableError):
            await keys(storage, FOLDER)

        assert capsys.readouterr().out.count("code=NoSuchBucket") == 5

    async def test_a_wrong_secret_is_an_error_that_is_not_retried(
        self, storage: ObjectStore, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        store.server.keys[KEY_ID] = "another"
        with pytest.raises(StorageUnavailableError):
            await storage.upload(KEY, PNG, content_type="image/png")

        assert len(store.web.requests) == 1
        logged = capsys.readouterr().out
        assert "SignatureDoesNotMatch" in logged
        assert SECRET not in logged
        assert KEY not in logged

    async def test_an_unreachable_store_is_unavailable(self, storage: ObjectStore, store: Store) -> None:
        store.web.stop()
        try:
            with pytest.raises(StorageUnavailableError):
                await storage.find(KEY)
        finally:
            store.web.start()
