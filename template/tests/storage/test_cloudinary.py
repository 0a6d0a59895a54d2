"""Files at Cloudinary."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.core.db.models import utc_now
from app.core.jobs.in_process import InProcessQueue
from app.core.runtime import Runtime
from app.storage.object_store import ObjectStore
from app.storage.port import StorageUnavailableError
from app.storage.providers.cloudinary_api import text_to_sign
from tests.fakes.cloudinary_server import CloudinaryServer
from tests.fakes.server import FakeServer, serving
from tests.storage.contract import KEY
from tests.storage.objects import content, keys
from tests.storage.remote_contract import RemoteStorageContract
from tests.storage.remote_settings import RemoteSettingsContract
from tests.storage.requests import PNG, FileClient, code, send

SECRET = "very-secret-of-the-cloud"


class TestCloudinary(RemoteStorageContract):
    provider = "cloudinary"
    binds_size: ClassVar = False
    binds_type: ClassVar = False
    serves_names: ClassVar = False

    @pytest.fixture
    def cloud(self) -> CloudinaryServer:
        """The fake."""
        return CloudinaryServer(cloud="demo", key="1234567890", secret=SECRET)

    @pytest.fixture
    def served(self, cloud: CloudinaryServer) -> Iterator[FakeServer]:
        """The server of the fake."""
        with serving(cloud.answer) as web:
            yield web

    @pytest.fixture
    def provider_settings(self, served: FakeServer) -> dict[str, str]:
        return {
            "STORAGE_PROVIDER": "cloudinary",
            "CLOUDINARY_CLOUD_NAME": "demo",
            "CLOUDINARY_API_KEY": "1234567890",
            "CLOUDINARY_API_SECRET": SECRET,
            "CLOUDINARY_API_URL": served.url,
        }

    @pytest.fixture(autouse=True)
    def broken(self, cloud: CloudinaryServer) -> None:
        """Keep the fake for `break_down`."""
        self._cloud = cloud

    def break_down(self, runtime: Runtime) -> None:  # noqa: ARG002 - the local store needs it
        self._cloud.is_down = True

    async def test_an_upload_is_a_form(self, storage: ObjectStore, served: FakeServer) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=7)

        assert (link.method, link.url, link.headers) == ("POST", f"{served.url}/v1_1/demo/raw/upload", {})
        assert link.fields.keys() == {"public_id", "type", "overwrite", "timestamp", "api_key", "signature"}

    @pytest.mark.parametrize("field", ["public_id", "type", "overwrite", "timestamp", "signature"])
    async def test_an_altered_form_is_refused(self, storage: ObjectStore, web: httpx.AsyncClient, field: str) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))
        fields = {**link.fields, field: "upload"}

        assert (await web.post(link.url, data=fields, files={"file": PNG})).status_code == 401

    async def test_a_link_expires(self, storage: ObjectStore, web: httpx.AsyncClient, cloud: CloudinaryServer) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        lifetime = timedelta(seconds=60)
        down = await storage.get_presigned_download_url(
            KEY, filename="a.png", content_type="image/png", expires_in=lifetime
        )
        up = await storage.get_presigned_upload_url(
            f"{KEY}2", content_type="image/png", size=len(PNG), expires_in=lifetime
        )
        cloud.ahead = timedelta(seconds=50)
        assert (await send(web, down)).status_code == 200
        cloud.ahead = timedelta(seconds=62)
        assert (await send(web, down)).status_code == 401
        assert (await send(web, up, PNG)).status_code == 401

    async def test_an_upload_link_expires_within_an_hour(self, storage: ObjectStore) -> None:
        link = await storage.get_presigned_upload_url(
            KEY, content_type="image/png", size=1, expires_in=timedelta(hours=5)
        )

        assert timedelta(minutes=59) < link.expires_at - utc_now() <= timedelta(hours=1)

    async def test_a_download_link_may_live_longer(
        self, storage: ObjectStore, web: httpx.AsyncClient, cloud: CloudinaryServer
    ) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(
            KEY, filename="a.png", content_type="image/png", expires_in=timedelta(hours=5)
        )

        assert timedelta(hours=4) < link.expires_at - utc_now()
        assert int(parse_qs(urlsplit(link.url).query)["expires_at"][0]) == int(link.expires_at.timestamp())
        assert (await send(web, link)).status_code == 200
        assert cloud.assets.keys() == {KEY}

    async def test_a_download_is_saved(self, storage: ObjectStore, web: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")

        assert (await send(web, link)).headers["Content-Disposition"].startswith("attachment;")

    @pytest.mark.parametrize("sent", [PNG + b"x", PNG[:-1], b"<html>".ljust(len(PNG))])
    async def test_the_confirmation_checks_the_properties_that_a_link_does_not_bind(
        self, files: FileClient, web: httpx.AsyncClient, queue: InProcessQueue, cloud: CloudinaryServer, sent: bytes
    ) -> None:
        link = (await files.ask()).json()
        assert (await send(web, link, sent)).status_code == 200

        assert code(await files.confirm(link["id"])) == (409, "UPLOAD_MISMATCH")
        await queue.drain()
        assert cloud.assets == {}

    async def test_lists_more_than_a_page(self, storage: ObjectStore) -> None:
        for number in range(5):
            await storage.upload(f"files/{number}", b"x", content_type="text/plain")

        assert await keys(storage, "files") == [f"files/{number}" for number in range(5)]

    @pytest.mark.parametrize("status", [420, 429, 500, 503])
    async def test_transient_errors_are_retried(
        self, storage: ObjectStore, cloud: CloudinaryServer, status: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        cloud.failures = [status]

        assert await storage.exists(KEY)
        logged = capsys.readouterr().out
        assert "call_retried" in logged
        assert KEY not in logged

    async def test_a_retry_sends_the_whole_content(self, storage: ObjectStore, cloud: CloudinaryServer) -> None:
        cloud.failures = [503]
        await storage.upload(KEY, PNG, content_type="image/png")

        assert await content(storage, KEY) == PNG

    async def test_a_wrong_secret_is_an_error_that_is_not_retried(
        self,
        storage: ObjectStore,
        cloud: CloudinaryServer,
        served: FakeServer,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        cloud.secret = "another"
        for call in (storage.find, storage.delete):
            with pytest.raises(StorageUnavailableError):
                await call(KEY)

        logged = capsys.readouterr().out
        assert len(served.requests) == 2
        assert logged.count("provider_status=401") == 2
        assert SECRET not in logged
        assert KEY not in logged

    async def test_a_store_that_keeps_failing_is_not_called(
        self, storage: ObjectStore, cloud: CloudinaryServer, served: FakeServer
    ) -> None:
        cloud.is_down = True
        for _ in range(4):
            with pytest.raises(StorageUnavailableError):
                await storage.exists(KEY)

        assert len(served.requests) == 5

    async def test_an_unreachable_store_is_unavailable(self, storage: ObjectStore, served: FakeServer) -> None:
        served.stop()
        with pytest.raises(StorageUnavailableError):
            await content(storage, KEY)


def test_the_text_to_sign_is_the_one_of_their_example() -> None:
    """https://cloudinary.com/documentation/authentication_signatures: there with SHA-1."""
    parameters = {
        "timestamp": "1315060510",
        "public_id": "sample_image",
        "eager": "w_400,h_300,c_pad|w_260,h_200,c_crop",
    }
    digest = hashlib.sha1(f"{text_to_sign(parameters)}abcd".encode(), usedforsecurity=False)

    assert digest.hexdigest() == "bfd09f95f331f558cbd1320e67aa8d488770583e"


class TestSettings(RemoteSettingsContract):
    provider = "cloudinary"
    needed: ClassVar = {
        "CLOUDINARY_CLOUD_NAME": "demo",
        "CLOUDINARY_API_KEY": "1234567890",
        "CLOUDINARY_API_SECRET": SECRET,
    }
    malformed = (("CLOUDINARY_CLOUD_NAME", "demo/x"), ("CLOUDINARY_API_URL", "api.example.com"))
