"""Files on this machine's disk."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

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
from app.storage.object_store import ObjectStore
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import InvalidLinkError, LinkSigner, Permission
from app.storage.providers.local_routes import Download
from app.storage.providers.local_storage import LocalStorage
from app.storage.settings import SELECTION, StorageSettings
from tests.storage.conftest import MAX_UPLOAD, key_of, stored_in
from tests.storage.contract import KEY, StorageContract
from tests.storage.objects import content
from tests.storage.requests import PNG, FileClient, code, send


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

    async def test_files_do_not_wait_for_the_threads_that_resolve_names(
        self, storage: ObjectStore, client: httpx.AsyncClient
    ) -> None:
        loop, resolved = asyncio.get_running_loop(), threading.Event()
        with ThreadPoolExecutor(1) as single:
            loop.set_default_executor(single)
            resolving = asyncio.ensure_future(asyncio.to_thread(resolved.wait))
            try:
                async with asyncio.timeout(10):
                    await storage.upload(KEY, PNG, content_type="image/png")
                    link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
                    assert (await client.get(link.url)).content == PNG
            finally:
                resolved.set()
                await resolving
                loop.set_default_executor(ThreadPoolExecutor())

    @pytest.mark.parametrize("field", ["expires", "type", "size", "name", "signature"])
    async def test_an_altered_link_is_refused(
        self, storage: ObjectStore, client: httpx.AsyncClient, field: str
    ) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        path, query = link.url.split("?")
        facts = dict(httpx.QueryParams(query)) | {field: "9999999999"}

        assert code(await client.get(f"{path}?{urlencode(facts)}")) == (403, "INVALID_LINK")

    @pytest.mark.parametrize("query", ["", "?expires=1", "?expires=x&type=a&signature=b", "?a=b"])
    async def test_an_invalid_link_is_refused(self, client: httpx.AsyncClient, query: str) -> None:
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
    async def test_a_signed_but_invalid_key_is_refused(
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
        self, storage: ObjectStore, runtime: Runtime, client: httpx.AsyncClient
    ) -> None:
        large = b"x" * (3 * runtime.settings.MAX_BODY_SIZE)
        link = await storage.get_presigned_upload_url(KEY, content_type="text/plain", size=len(large))

        assert (await send(client, link, large)).status_code == 204
        assert await content(storage, KEY) == large

    async def test_an_upload_may_not_exceed_the_maximum(self, storage: ObjectStore, client: httpx.AsyncClient) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="text/plain", size=MAX_UPLOAD)

        assert code(await send(client, link, b"x" * (MAX_UPLOAD + 1))) == (413, "PAYLOAD_TOO_LARGE")

    async def test_an_upload_of_undeclared_length_ends_at_the_limit_of_the_link(
        self, storage: ObjectStore, client: httpx.AsyncClient, own_folder: Path
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

    async def test_a_spent_link_is_a_conflict(self, storage: ObjectStore, client: httpx.AsyncClient) -> None:
        link = await storage.get_presigned_upload_url(KEY, content_type="image/png", size=len(PNG))
        await send(client, link, PNG)

        assert code(await send(client, link, PNG)) == (409, "CONFLICT")

    async def test_a_download_is_neither_displayed_nor_sniffed(
        self, storage: ObjectStore, client: httpx.AsyncClient
    ) -> None:
        await storage.upload(KEY, b"<script>alert(1)</script>", content_type="text/html")
        link = await storage.get_presigned_download_url(KEY, filename='x".html\r\n', content_type="text/html")
        answer = await send(client, link)

        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="x_.html__"')

    async def test_a_download_can_be_resumed(self, storage: ObjectStore, client: httpx.AsyncClient) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        answer = await send(client, link, headers={"Range": "bytes=8-15"})

        assert (answer.status_code, answer.content) == (206, PNG[8:16])

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            ("bytes=99999-", (416, "RANGE_NOT_SATISFIABLE")),
            ("bytes=a", (400, "BAD_REQUEST")),
            ("x", (400, "BAD_REQUEST")),
        ],
    )
    async def test_a_range_that_cannot_be_served_is_an_ordinary_error(
        self, storage: ObjectStore, client: httpx.AsyncClient, value: str, error: tuple[int, str]
    ) -> None:
        await storage.upload(KEY, PNG, content_type="image/png")
        link = await storage.get_presigned_download_url(KEY, filename="a.png", content_type="image/png")
        answer = await send(client, link, headers={"Range": value})

        assert code(answer) == error
        assert answer.headers.get("Content-Range") == (f"bytes */{len(PNG)}" if error[0] == 416 else None)

    async def test_an_upload_link_stays_spent_after_the_file_was_deleted(self, files: FileClient) -> None:
        upload = (await files.ask()).json()
        await send(files.web, upload, PNG)
        await files.confirm(upload["id"])
        await files.delete(upload["id"])

        assert code(await send(files.web, upload, PNG)) == (409, "CONFLICT")

    async def test_a_cancelled_upload_cannot_be_sent(self, files: FileClient, own_folder: Path) -> None:
        upload = (await files.ask()).json()
        await files.delete(upload["id"])

        assert code(await send(files.web, upload, PNG)) == (409, "CONFLICT")
        assert stored_in(own_folder) == []

    async def test_an_unconfirmed_file_cannot_be_downloaded(
        self, files: FileClient, storage: ObjectStore, runtime: Runtime
    ) -> None:
        key = await key_of(runtime, await files.upload())
        link = await storage.get_presigned_download_url(key, filename="a.png", content_type="image/png")

        assert code(await send(files.web, link)) == (404, "NOT_FOUND")

    async def test_a_file_that_is_deleted_during_the_request_is_not_found(self, tmp_path: Path) -> None:
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

    async def test_abandoned_uploads_are_removed_by_the_next_start(self, own_folder: Path, database: Database) -> None:
        disk = LocalDisk(own_folder)
        old, new = disk.open_partial(), disk.open_partial()
        for part in (old, new):
            part.close()
        os.utime(str(old.name), (0, 0))
        async with running(create_runtime([core, module], database=database), background=False):
            assert stored_in(own_folder) == [Path(str(new.name))]

    async def test_a_symbolic_link_leads_nowhere(
        self, storage: ObjectStore, client: httpx.AsyncClient, own_folder: Path, tmp_path: Path
    ) -> None:
        lead_astray(own_folder, tmp_path)
        link = await storage.get_presigned_download_url("uploads/secret", filename="a", content_type="text/plain")

        assert code(await send(client, link)) == (403, "INVALID_LINK")

    async def test_links_begin_with_the_public_url(self, files: FileClient, runtime: Runtime) -> None:
        url = (await files.ask()).json()["url"]

        assert url.startswith(f"{runtime.settings.PUBLIC_URL}/api/v1/public/files/files/")

    async def test_links_live_for_a_day_at_most(self, storage: ObjectStore) -> None:
        for lifetime in (timedelta(0), timedelta(days=2)):
            with pytest.raises(ValueError, match="between one second and one day"):
                await storage.get_presigned_download_url(KEY, filename="a", content_type="a/b", expires_in=lifetime)


def lead_astray(folder: Path, elsewhere: Path) -> None:
    """Make a folder of the store lead out of it, to a secret."""
    (elsewhere / "secret").write_text("secret")
    folder.mkdir()
    (folder / "uploads").symlink_to(elsewhere)


class TestSettings:
    def test_a_provider_that_was_not_chosen_is_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "other")
        with pytest.raises(ConfigurationError, match="STORAGE_PROVIDER must be"):
            create_runtime([core, module])

    def test_the_default_is_local_in_local(self) -> None:
        assert StorageSettings().STORAGE_PROVIDER == "local"

    async def test_the_local_store_is_warned_about_if_another_one_was_chosen(
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
