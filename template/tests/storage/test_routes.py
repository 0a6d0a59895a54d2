"""The file routes."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlmodel import col

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.storage.models import File
from app.storage.object_store import ObjectStore, get_object_store
from tests.conftest import SignIn
from tests.storage.conftest import MAX_UPLOAD, key_of
from tests.storage.requests import FILES, PNG, FileClient, code, send

UNKNOWN_ID = UUID(int=7)


async def rows(runtime: Runtime) -> list[str]:
    """Return the statuses of all files."""
    async with runtime.database.reading() as session:
        return list((await session.scalars(select(col(File.status)).order_by(col(File.id)))).all())


class TestUploadUrl:
    async def test_returns_the_upload_request(self, files: FileClient) -> None:
        answer = await files.ask()

        assert answer.status_code == 201
        link = answer.json()
        assert link.keys() == {"id", "method", "url", "headers", "fields", "expires_at"}
        assert (link["method"], link["headers"]) == ("PUT", {"Content-Type": "image/png"})

    async def test_creates_a_new_key_in_the_folder_of_the_owner(
        self, files: FileClient, runtime: Runtime, client: httpx.AsyncClient
    ) -> None:
        me = (await client.get("/api/v1/app/users/me", headers=files.headers)).json()["id"]
        keys = {await key_of(runtime, (await files.ask()).json()["id"]) for _ in range(3)}

        assert len(keys) == 3
        assert all(key.startswith(f"files/{me}/") and len(key.rpartition("/")[2]) == 32 for key in keys)

    @pytest.mark.parametrize("name", ["", " ", "..", "/", "a\0b", "a\nb", "x" * 256, "\u202e", None, 7], ids=ascii)
    async def test_an_invalid_name_is_refused(self, files: FileClient, name: str) -> None:
        assert code(await files.ask(name=name)) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("content_type", ["", "png", "a/b\r\nX: y", "a/b;\x1b[2J", "x" * 101, "a/b;" + "x" * 300])
    async def test_an_invalid_type_is_refused(self, files: FileClient, content_type: str) -> None:
        assert code(await files.ask(content_type=content_type)) == (422, "VALIDATION_ERROR")

    async def test_parameters_of_a_type_are_dropped(self, files: FileClient) -> None:
        link = (await files.ask(content_type="audio/webm;codecs=opus")).json()

        assert link["headers"] == {"Content-Type": "audio/webm"}

    @pytest.mark.parametrize("size", [0, -1, 2**70])
    async def test_an_invalid_size_is_refused(self, files: FileClient, size: int) -> None:
        assert code(await files.ask(size=size)) == (422, "VALIDATION_ERROR")

    async def test_a_file_that_is_too_large_is_refused(self, files: FileClient) -> None:
        answer = await files.ask(size=MAX_UPLOAD + 1)

        assert code(answer) == (413, "PAYLOAD_TOO_LARGE")
        assert answer.json()["error"]["details"] == {"limit": MAX_UPLOAD}

    async def test_unknown_fields_are_refused(self, files: FileClient, client: httpx.AsyncClient) -> None:
        body = {"name": "a", "content_type": "a/b", "size": 1, "key": "files/x"}

        assert code(await client.post(f"{FILES}/upload-url", headers=files.headers, json=body)) == (
            422,
            "VALIDATION_ERROR",
        )


class TestConfirm:
    async def test_returns_the_file(self, files: FileClient) -> None:
        answer = await files.confirm(await files.upload(name="a/b\\Käse?.png"))

        assert answer.status_code == 200
        file = answer.json()
        assert file.keys() == {"id", "name", "content_type", "size", "created_at", "updated_at"}
        assert (file["name"], file["content_type"], file["size"]) == ("Käse_.png", "image/png", len(PNG))

    async def test_can_be_repeated(self, files: FileClient) -> None:
        id_ = await files.upload()
        first, second = await files.confirm(id_), await files.confirm(id_)

        assert (first.status_code, first.json()) == (200, second.json())

    async def test_detects_a_type_that_was_announced_as_unknown(self, files: FileClient) -> None:
        answer = await files.confirm(await files.upload(content_type="application/octet-stream"))

        assert answer.json()["content_type"] == "image/png"

    async def test_reports_a_missing_upload_and_accepts_it_later(self, files: FileClient) -> None:
        link = (await files.ask()).json()

        assert code(await files.confirm(link["id"])) == (409, "UPLOAD_MISSING")

        await send(files.web, link, PNG)
        assert (await files.confirm(link["id"])).status_code == 200

    async def test_refuses_and_removes_a_file_of_another_size(
        self, files: FileClient, storage: ObjectStore, runtime: Runtime, queue: Queue
    ) -> None:
        id_ = (await files.ask()).json()["id"]
        key = await key_of(runtime, id_)
        await storage.upload(key, PNG * 2, content_type="image/png")

        assert code(await files.confirm(id_)) == (409, "UPLOAD_MISMATCH")
        await queue.drain()
        assert not await storage.exists(key)
        assert await rows(runtime) == []

    async def test_refuses_and_removes_a_file_of_another_type(
        self, files: FileClient, runtime: Runtime, queue: Queue
    ) -> None:
        id_ = await files.upload(b"MZ\0" + b"x" * 100, content_type="image/png")

        assert code(await files.confirm(id_)) == (409, "UPLOAD_MISMATCH")
        await queue.drain()
        assert await rows(runtime) == []

    async def test_another_user_s_upload_is_not_found(
        self, files: FileClient, stranger: dict[str, str], runtime: Runtime
    ) -> None:
        id_ = await files.upload()

        assert code(await files.of(stranger).confirm(id_)) == (404, "NOT_FOUND")
        assert await rows(runtime) == ["pending"]


class TestList:
    async def test_lists_the_owner_s_stored_files_newest_first(
        self, files: FileClient, stranger: dict[str, str]
    ) -> None:
        for name in ("one.png", "two.png"):
            await files.store(name=name)
        await files.upload(name="pending.png")
        await files.of(stranger).store(name="not mine.png")

        answer = await files.list()

        assert [item["name"] for item in answer["items"]] == ["two.png", "one.png"]
        assert (answer["total"], answer["skip"], answer["limit"]) == (2, 0, 20)

    async def test_searches_and_pages(self, files: FileClient) -> None:
        for name in ("cat 1.png", "dog.png", "cat 2.png"):
            await files.store(name=name)

        assert [item["name"] for item in (await files.list(search="CAT", limit="1"))["items"]] == ["cat 2.png"]


class TestRead:
    async def test_returns_a_file(self, files: FileClient) -> None:
        id_ = await files.store()

        assert (await files.read(id_)).json() == (await files.list())["items"][0]

    async def test_other_users_files_and_missing_files_are_not_found(
        self, files: FileClient, stranger: dict[str, str]
    ) -> None:
        id_, pending, other = await files.store(), await files.upload(), files.of(stranger)

        for client, which in ((other, id_), (files, pending), (files, str(uuid4()))):
            assert code(await client.read(which)) == (404, "NOT_FOUND")
            assert code(await client.download_link(which)) == (404, "NOT_FOUND")
        assert code(await other.delete(id_)) == (404, "NOT_FOUND")
        assert (await files.read(id_)).status_code == 200


class TestDelete:
    async def test_removes_object_and_row(
        self, files: FileClient, storage: ObjectStore, runtime: Runtime, queue: Queue
    ) -> None:
        id_ = await files.store()
        key = await key_of(runtime, id_)
        answer = await files.delete(id_)

        assert (answer.status_code, answer.content) == (204, b"")
        assert code(await files.read(id_)) == (404, "NOT_FOUND")
        assert (await files.list())["total"] == 0
        await queue.drain()
        assert not await storage.exists(key)
        assert await rows(runtime) == []

    async def test_stops_download_links_at_once(
        self, files: FileClient, storage: ObjectStore, runtime: Runtime
    ) -> None:
        id_ = await files.store()
        key, link = await key_of(runtime, id_), (await files.download_link(id_)).json()
        await files.delete(id_)

        assert code(await send(files.web, link)) == (404, "NOT_FOUND")
        assert not await storage.exists(key)

    async def test_cancels_an_upload(self, files: FileClient, runtime: Runtime, queue: Queue) -> None:
        id_ = await files.upload()

        assert (await files.delete(id_)).status_code == 204
        assert code(await files.confirm(id_)) == (404, "NOT_FOUND")
        await queue.drain()
        assert await rows(runtime) == []


@pytest.mark.parametrize("path", ["confirm", "upload-url"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_names_of_routes_are_not_ids(files: FileClient, method: str, path: str) -> None:
    answer = await files.api.request(method, f"{FILES}/{path}", headers=files.headers)

    assert code(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "POST"


def test_uploads_and_downloads_are_documented(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    operations = paths["/api/v1/public/files/{key}"]

    assert list(operations["put"]["requestBody"]["content"]) == ["*/*"]
    assert list(operations["get"]["responses"]["200"]["content"]) == ["*/*"]
    assert f"{FILES}/{{file_id}}" in paths


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/upload-url"),
        ("POST", "/confirm"),
        ("GET", ""),
        ("GET", f"/{UNKNOWN_ID}"),
        ("GET", f"/{UNKNOWN_ID}/download-url"),
        ("DELETE", f"/{UNKNOWN_ID}"),
    ],
)
async def test_every_route_requires_authentication(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert code(await client.request(method, f"{FILES}{path}")) == (401, "UNAUTHORIZED")


class TestAtTheSameTime:
    async def test_concurrent_confirmation_and_deletion_leave_nothing(
        self, live_client: httpx.AsyncClient, live_sign_in: SignIn, live_runtime: Runtime
    ) -> None:
        headers = await live_sign_in(email="owner@example.com")
        files = FileClient(api=live_client, web=live_client, headers=headers)
        queue, storage = live_runtime.queue, get_object_store(live_runtime)
        for _ in range(5):
            id_ = await files.upload()
            key = await key_of(live_runtime, id_)
            confirmed, deleted = await asyncio.gather(files.confirm(id_), files.delete(id_))
            await queue.drain()

            assert deleted.status_code == 204
            assert confirmed.status_code in {200, 404, 409}
            assert not await storage.exists(key)
        assert await rows(live_runtime) == []
