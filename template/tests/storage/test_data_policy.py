"""Export and erasure of a user's files, and files that the application adds to them."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.core.data_policy.daily_report import make_report
from app.core.data_policy.personal_data import export_user
from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.storage.jobs import sweep_files
from app.storage.models import File
from app.storage.object_store import ObjectStore
from app.users.erasure import erase_user
from app.users.jobs import export_user_data
from tests.conftest import ME
from tests.storage.requests import PNG, FileClient

LIFETIME = timedelta(days=7)


@pytest.fixture
async def owner_id(client: httpx.AsyncClient, owner: dict[str, str]) -> UUID:
    """The owner's id."""
    return UUID((await client.get(ME, headers=owner)).json()["id"])


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


async def keep(runtime: Runtime, owner_id: UUID) -> UUID:
    """Add a file to the owner's."""
    kept = await runtime.user_files.keep(
        owner_id, "data.json", pieces(b'{"a":', b" 1}"), content_type="application/json", lifetime=LIFETIME
    )
    assert kept is not None
    return kept


async def due(runtime: Runtime) -> None:
    """Make all files due."""
    async with runtime.database.transaction() as session:
        await session.execute(update(File).values(due_at=utc_now() - timedelta(seconds=1)))


async def left(runtime: Runtime, storage: ObjectStore) -> tuple[int, int]:
    """Return the numbers of rows and objects."""
    async with runtime.database.reading() as session:
        rows = len((await session.scalars(select(col(File.id)))).all())
    return rows, sum([len(batch) async for batch in storage.list_files("files")])


class TestExport:
    async def test_exports_files_without_their_keys(self, runtime: Runtime, files: FileClient, owner_id: UUID) -> None:
        await files.store(name="cat.png")
        exported = json.loads(b"".join([piece async for piece in export_user(runtime, owner_id)]))

        (row,) = exported["tables"]["stored_files"]
        assert (row["name"], row["size"]) == ("cat.png", len(PNG))
        assert "key" not in row

    async def test_is_added_to_the_user_s_files(self, runtime: Runtime, files: FileClient, owner_id: UUID) -> None:
        result = await export_user_data(runtime, str(owner_id))

        (item,) = (await files.list())["items"]
        assert result == {"file_id": item["id"]}
        assert item["content_type"] == "application/json"
        content = (await files.download(item["id"])).content
        assert len(content) == item["size"]
        assert json.loads(content)["user_id"] == str(owner_id)


class TestKeep:
    async def test_other_users_do_not_see_it(
        self, runtime: Runtime, files: FileClient, owner_id: UUID, stranger: dict[str, str]
    ) -> None:
        id_ = await keep(runtime, owner_id)

        assert (await files.of(stranger).read(str(id_))).status_code == 404
        assert (await files.download(str(id_))).content == b'{"a": 1}'

    async def test_it_is_deleted_when_it_expires(self, runtime: Runtime, storage: ObjectStore, owner_id: UUID) -> None:
        await keep(runtime, owner_id)
        await sweep_files(runtime)
        assert await left(runtime, storage) == (1, 1)

        await due(runtime)
        await sweep_files(runtime)

        assert await left(runtime, storage) == (0, 0)

    async def test_an_incomplete_file_is_swept(
        self, runtime: Runtime, storage: ObjectStore, files: FileClient, owner_id: UUID
    ) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise LookupError

        with pytest.raises(LookupError):
            await runtime.user_files.keep(owner_id, "x", broken(), content_type="text/plain", lifetime=LIFETIME)
        assert (await files.list())["total"] == 0

        await due(runtime)
        await sweep_files(runtime)

        assert await left(runtime, storage) == (0, 0)

    async def test_is_an_error_if_the_user_is_deleted_meanwhile(
        self, runtime: Runtime, storage: ObjectStore, owner_id: UUID
    ) -> None:
        async def slow() -> AsyncIterator[bytes]:
            await erase_user(runtime, owner_id)
            yield b"late"

        with pytest.raises(NotFoundError):
            await runtime.user_files.keep(owner_id, "x", slow(), content_type="text/plain", lifetime=LIFETIME)

        await sweep_files(runtime)
        await runtime.queue.drain()
        await due(runtime)
        await sweep_files(runtime)
        assert (await left(runtime, storage))[0] == 0


class TestLink:
    async def test_is_absolute(self, runtime: Runtime, owner_id: UUID) -> None:
        link = await runtime.user_files.link(owner_id, await keep(runtime, owner_id), lifetime=LIFETIME / 7)

        assert link is not None
        assert link.startswith(f"{runtime.settings.PUBLIC_URL}/")

    async def test_is_none_for_missing_files_and_those_of_other_users(self, runtime: Runtime, owner_id: UUID) -> None:
        id_ = await keep(runtime, owner_id)

        assert await runtime.user_files.link(owner_id, uuid4(), lifetime=LIFETIME / 7) is None
        assert await runtime.user_files.link(uuid4(), id_, lifetime=LIFETIME / 7) is None


class TestErasure:
    async def test_erases_objects_with_their_rows_and_keeps_those_of_others(
        self,
        runtime: Runtime,
        storage: ObjectStore,
        files: FileClient,
        owner_id: UUID,
        stranger: dict[str, str],
    ) -> None:
        await files.store()
        await files.upload()
        await files.of(stranger).store(name="theirs.png")

        await erase_user(runtime, owner_id)
        await runtime.queue.drain()

        assert await left(runtime, storage) == (1, 1)
        assert [item["name"] for item in (await files.of(stranger).list())["items"]] == ["theirs.png"]

    async def test_names_are_erased_before_the_objects(
        self, runtime: Runtime, files: FileClient, owner_id: UUID
    ) -> None:
        await files.store(name="diagnosis.png")

        await erase_user(runtime, owner_id)

        async with runtime.database.reading() as session:
            (row,) = (await session.scalars(select(File))).all()
        assert (row.owner_id, row.name, row.status) == (None, "", "deleting")


async def test_the_report_contains_number_and_size_of_files(runtime: Runtime, files: FileClient) -> None:
    await files.store()
    await files.store()
    await files.upload()

    figures = (await make_report(runtime, utc_now().date())).metrics

    assert (figures["files_stored"], figures["files_bytes"]) == (2, 2 * len(PNG))
