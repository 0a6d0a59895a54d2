"""Files on this machine's disk."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Message

from app.core.config.settings import ConfigurationError
from app.core.db.database import Database
from app.core.errors import NotFoundError
from app.core.lifecycle import create_runtime, running
from app.core.module import module as core
from app.core.runtime import Runtime
from app.storage.module import module
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import InvalidLinkError, LinkSigner, Permission
from app.storage.providers.local_routes import Download
from app.storage.providers.local_storage import LocalStorage
from app.storage.service import StorageService
from app.storage.settings import SELECTION, StorageSettings
from tests.storage.conftest import MAX_UPLOAD, stored_in
from tests.storage.contract import KEY, StorageContract
from tests.storage.requests import PNG, FileClient, code, send
from tests.storage.stores import content


class TestLocal(StorageContract):
    @pytest.fixture
    def provider_settings(self) -> dict[str, str]:
        return {"STORAGE_PROVIDER": "local"}

    @pytest.fixture
    def web(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        return client

    def break_down(self, runtime: Runtime) -> None:
        root = runtime.resource(LocalStorage).disk.root
        if root.exists():
            root.rename(root.with_name("away"))
        # A loop of links: whoever follows it gets an error, be they root or not.
        root.symlink_to(root)

    @pytest.mark.parametrize("field", ["expires", "type", "size", "name", "signature"])
    async def test_an_altered_link_is_refused(
        self, storage: StorageService, client: httpx.AsyncClient, field: str
    ) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        path, query = link.url.split("?")
        facts = dict(httpx.QueryParams(query)) | {field: "9999999999"}

        assert code(await client.get(f"{path}?{urlencode(facts)}")) == (403, "INVALID_LINK")

    @pytest.mark.parametrize("query", ["", "?expires=1", "?expires=x&type=a&signature=b", "?a=b"])
    async def test_what_is_no_link_is_refused(self, client: httpx.AsyncClient, query: str) -> None:
        url = f"/api/v1/public/files/{KEY}{query}"

        assert (await client.get(url)).status_code == 422
        assert (await client.put(url, content=b"x")).status_code == 422

    async def test_an_expired_link_is_refused(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        signer = runtime.resource(LocalStorage).signer
        for method in ("GET", "PUT"):
            signed = signer.sign(method, KEY, Permission(expires=1, type="image/png", size=1))
            query = urlencode(signed.model_dump(exclude_none=True))
            answer = await client.request(method, f"/api/v1/public/files/{KEY}?{query}")
            assert code(answer) == (403, "INVALID_LINK")
            assert "expired" in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        "key", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "files//a", "files/.a", ".partial/a"]
    )
    async def test_a_signed_key_that_is_none_is_refused(
        self, runtime: Runtime, client: httpx.AsyncClient, key: str
    ) -> None:
        signer = runtime.resource(LocalStorage).signer
        plain = key.replace("%2f", "/")
        for method in ("GET", "PUT"):
            signed = signer.sign(method, plain, Permission(expires=2**35, type="image/png", size=1))
            query = urlencode(signed.model_dump(exclude_none=True))
            url = f"/api/v1/public/files/{key.replace('/', '%2f')}?{query}"
            answer = await client.request(method, url, content=b"x", headers={"Content-Type": "image/png"})
            assert code(answer) == (403, "INVALID_LINK")

    async def test_an_upload_may_be_larger_than_other_bodies(
        self, storage: StorageService, runtime: Runtime, client: httpx.AsyncClient
    ) -> None:
        large = b"x" * (3 * runtime.settings.MAX_BODY_SIZE)
        link = await storage.get_presigned_upload_url(KEY, content_type="text/plain", size=len(large))

        assert (await send(client, link, large)).status_code == 204
        assert await content(storage, KEY) == large

    async def test_an_upload_may_not_be_larger_than_the_largest(
        self, storage: StorageService, client: httpx.AsyncClient
    ) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="text/plain", size=MAX_UPLOAD)

        assert code(await send(client, link, b"x" * (MAX_UPLOAD + 1))) == (413, "PAYLOAD_TOO_LARGE")

    async def test_an_upload_of_undeclared_length_ends_where_the_link_says(
        self, storage: StorageService, client: httpx.AsyncClient, own_folder: Path
    ) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="text/plain", size=1000)
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < MAX_UPLOAD:
                sent += 600
                yield b"x" * 600

        answer = await client.put(link.url, headers=link.headers, content=endless())

        assert code(answer) == (413, "PAYLOAD_TOO_LARGE")
        assert stored_in(own_folder) == []

    async def test_a_link_that_was_used_says_so(self, storage: StorageService, client: httpx.AsyncClient) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))
        await send(client, link, PNG)

        assert code(await send(client, link, PNG)) == (409, "CONFLICT")

    async def test_a_download_is_neither_shown_nor_guessed_at(
        self, storage: StorageService, client: httpx.AsyncClient
    ) -> None:
        await storage.upload(KEY, b"<script>alert(1)</script>", content_type="text/html")
        link = await storage.get_presigned_download_url(KEY, filename='x".html\r\n', content_type="text/html")
        answer = await send(client, link)

        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="x_.html__"')

    async def test_a_download_can_be_taken_up_again(self, storage: StorageService, client: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        answer = await send(client, link, headers={"Range": "bytes=8-15"})

        assert (answer.status_code, answer.content) == (206, PNG[8:16])

    async def test_what_is_deleted_while_it_is_asked_for_is_not_found(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(PNG)
        answer, sent = Download(file, stat_result=file.stat()), list[Message]()
        file.unlink()

        async def receive() -> Message:
            # The client stays.
            await asyncio.Event().wait()
            raise AssertionError

        async def send_on(message: Message) -> None:
            sent.append(message)

        for headers in ([], [(b"range", b"bytes=1-2")], [(b"range", b"bytes=1-2,4-5")]):
            with pytest.raises(NotFoundError):
                await answer({"type": "http", "method": "GET", "headers": headers}, receive, send_on)
        assert sent == []

    async def test_what_a_killed_process_has_left_goes_with_the_next_start(
        self, own_folder: Path, database: Database
    ) -> None:
        disk = LocalDisk(own_folder)
        old, new = disk.open_part(), disk.open_part()
        for part in (old, new):
            part.close()
        os.utime(old.name, (0, 0))
        async with running(create_runtime([core, module], database=database), background=False):
            assert stored_in(own_folder) == [Path(new.name)]

    async def test_a_symbolic_link_leads_nowhere(
        self, storage: StorageService, client: httpx.AsyncClient, own_folder: Path, tmp_path: Path
    ) -> None:
        lead_astray(own_folder, tmp_path)
        link = await storage.get_presigned_download_url("files/secret", filename="a", content_type="text/plain")

        assert code(await send(client, link)) == (403, "INVALID_LINK")

    async def test_links_name_the_address_that_the_request_came_to(self, files: FileClient) -> None:
        assert urlsplit((await files.ask()).json()["url"])[:2] == ("http", "testserver")

    async def test_links_live_for_a_day_at_most(self, storage: StorageService) -> None:
        for lifetime in (timedelta(0), timedelta(days=2)):
            with pytest.raises(ValueError, match="one second to one day"):
                await storage.get_presigned_download_url(KEY, filename="a", content_type="a/b", expires_in=lifetime)


def lead_astray(folder: Path, elsewhere: Path) -> None:
    """Makes the store's folder of files lead to another one, which has a secret."""
    (elsewhere / "secret").write_text("secret")
    folder.mkdir()
    (folder / "files").symlink_to(elsewhere)


@pytest.mark.usefixtures("address")
class TestAddress:
    @pytest.fixture
    def address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_LOCAL_URL", "https://api.example.com/")

    async def test_links_name_the_address_that_is_set(self, storage: StorageService) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=1)

        assert link.url.startswith(f"https://api.example.com/api/v1/public/files/{KEY}?")


class TestSettings:
    def test_an_address_has_to_be_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_LOCAL_URL", "api.example.com")
        with pytest.raises(ConfigurationError, match="STORAGE_LOCAL_URL has to be an address"):
            create_runtime([core, module])

    def test_another_provider_is_not_part_of_the_project(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "other")
        with pytest.raises(ConfigurationError, match="STORAGE_PROVIDER has to be"):
            create_runtime([core, module])

    def test_unset_it_is_local_in_local(self) -> None:
        assert StorageSettings().STORAGE_PROVIDER == "local"

    async def test_it_is_warned_of_where_another_one_was_chosen(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "local")
        for environment in ("local", "production"):
            monkeypatch.setenv("ENVIRONMENT", environment)
            async with running(create_runtime([core, module], database=database), background=False):
                warned = "storage_is_local" in capsys.readouterr().out
            assert warned is (environment == "production" and SELECTION.chosen != "local")


class TestRotation:
    def test_links_signed_with_the_previous_secret_stay_valid(self) -> None:
        old, new = SecretStr("o" * 32), SecretStr("n" * 32)
        permission = Permission(expires=2**39, type="image/png")
        link = LinkSigner([old]).sign("GET", KEY, permission)

        LinkSigner([new, old]).check("GET", KEY, link)
        LinkSigner([new]).check("GET", KEY, LinkSigner([new, old]).sign("GET", KEY, permission))
        with pytest.raises(InvalidLinkError):
            LinkSigner([new]).check("GET", KEY, link)
