"""The admin routes for files."""

from pathlib import Path
from uuid import uuid4

import httpx

from app.core.ports.queue import Queue
from tests.conftest import ME
from tests.storage.conftest import stored_in
from tests.storage.requests import FileClient
from tests.users.audits import MemoryAudit

ADMIN_FILES = "/api/v1/admin/files"


class TestList:
    async def test_shows_the_files_of_all_users(
        self, client: httpx.AsyncClient, admin: dict[str, str], files: FileClient, stranger: dict[str, str]
    ) -> None:
        first = await files.store(name="cat.png")
        second = await files.of(stranger).upload(name="dog.png")

        page = (await client.get(ADMIN_FILES, headers=admin)).json()

        shown = [(item["id"], item["name"], item["status"]) for item in page["items"]]
        assert shown == [(second, "dog.png", "pending"), (first, "cat.png", "stored")]
        assert page["total"] == 2
        # The key alone opens an object in a public bucket.
        assert "key" not in page["items"][0]

    async def test_is_filtered(
        self, client: httpx.AsyncClient, admin: dict[str, str], files: FileClient, stranger: dict[str, str]
    ) -> None:
        await files.store(name="cat.png")
        await files.of(stranger).upload(name="dog.png")
        owner_id = (await client.get(ME, headers=files.headers)).json()["id"]

        for query in ({"search": "CAT"}, {"status": "stored"}, {"owner_id": owner_id}):
            page = (await client.get(ADMIN_FILES, headers=admin, params=query)).json()
            assert [item["name"] for item in page["items"]] == ["cat.png"], query


class TestOne:
    async def test_is_shown(self, client: httpx.AsyncClient, admin: dict[str, str], files: FileClient) -> None:
        id_ = await files.store()

        file = (await client.get(f"{ADMIN_FILES}/{id_}", headers=admin)).json()

        assert (file["name"], file["status"], file["due_at"]) == ("cat.png", "stored", None)
        assert (await client.get(f"{ADMIN_FILES}/{uuid4()}", headers=admin)).status_code == 404


class TestDelete:
    async def test_deletes_the_object(
        self, client: httpx.AsyncClient, admin: dict[str, str], files: FileClient, queue: Queue, own_folder: Path
    ) -> None:
        id_ = await files.store()

        answer = await client.delete(f"{ADMIN_FILES}/{id_}", headers=admin)
        await queue.drain()

        assert (answer.status_code, answer.content) == (204, b"")
        assert (await files.read(id_)).status_code == 404
        assert stored_in(own_folder) == []

    async def test_happens_and_leaves_an_entry_only_once(
        self, client: httpx.AsyncClient, admin: dict[str, str], files: FileClient, audit: MemoryAudit
    ) -> None:
        id_ = await files.store()

        first = await client.delete(f"{ADMIN_FILES}/{id_}", headers=admin)
        again = await client.delete(f"{ADMIN_FILES}/{id_}", headers=admin)

        assert (first.status_code, again.status_code) == (204, 404)
        assert [(entry.action, entry.target_id) for entry in audit.entries] == [("file.deleted", id_)]
