"""The contract of users' files in any store. The contract of stores inherits from the class."""

from abc import ABC, abstractmethod
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.storage.jobs import sweep_files
from app.storage.models import File
from app.storage.object_store import ObjectStore
from tests.storage.objects import keys
from tests.storage.requests import PNG, FileClient, code, send

FILE_KEYS = select(col(File.key))


@pytest.mark.usefixtures("configured")
class FilesContract(ABC):
    """Files and their rows exist together."""

    @pytest.fixture
    def provider_settings(self) -> dict[str, str]:
        """The settings that select the provider."""
        raise NotImplementedError

    @pytest.fixture
    def configured(
        self,
        environment: None,  # noqa: ARG002 - the order matters
        monkeypatch: pytest.MonkeyPatch,
        provider_settings: dict[str, str],
    ) -> None:
        """Select the provider. `usefixtures` runs it before the application is created."""
        for name, value in provider_settings.items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def file_client(self, client: httpx.AsyncClient, web: httpx.AsyncClient) -> FileClient:
        """The file API without a user."""
        return FileClient(api=client, web=web, headers={})

    @abstractmethod
    def break_down(self, runtime: Runtime) -> None:
        """Make the store fail."""

    async def test_the_application_stores_and_returns_a_file(
        self, files: FileClient, storage: ObjectStore, queue: Queue
    ) -> None:
        id_ = await files.store(name="../Cat.png")

        assert [(item["id"], item["name"], item["size"]) for item in (await files.list())["items"]] == [
            (id_, "Cat.png", len(PNG))
        ]
        assert (await files.download(id_)).content == PNG

        assert (await files.delete(id_)).status_code == 204
        await queue.drain()
        assert await keys(storage, "files") == []
        assert code(await files.read(id_)) == (404, "NOT_FOUND")

    async def test_an_upload_link_leaves_no_object_after_the_file_was_deleted(
        self, files: FileClient, storage: ObjectStore, queue: Queue, runtime: Runtime
    ) -> None:
        upload = (await files.ask()).json()
        assert (await send(files.web, upload, PNG)).is_success
        assert (await files.confirm(upload["id"])).status_code == 200
        assert (await files.delete(upload["id"])).status_code == 204
        await queue.drain()
        await send(files.web, upload, PNG)

        long_ago = utc_now() - timedelta(hours=2)
        async with runtime.database.transaction() as session:
            await session.execute(update(File).values(created_at=long_ago, due_at=long_ago))
        await sweep_files(runtime)

        assert await keys(storage, "files") == []
        async with runtime.database.reading() as session:
            assert (await session.execute(FILE_KEYS)).all() == []

    async def test_the_application_refuses_a_file_that_does_not_match(
        self, files: FileClient, storage: ObjectStore, queue: Queue
    ) -> None:
        id_ = await files.upload(b"<html>" + b" " * 100)

        assert code(await files.confirm(id_)) == (409, "UPLOAD_MISMATCH")
        await queue.drain()
        assert await keys(storage, "files") == []
        assert code(await files.confirm(id_)) == (404, "NOT_FOUND")

    async def test_the_application_keeps_a_row_until_its_object_is_gone(
        self, files: FileClient, queue: Queue, runtime: Runtime
    ) -> None:
        id_ = await files.store()
        self.break_down(runtime)

        assert (await files.delete(id_)).status_code == 204
        await queue.drain(raises=False)

        assert code(await files.read(id_)) == (404, "NOT_FOUND")
        assert code(await files.confirm(id_)) == (404, "NOT_FOUND")
        async with runtime.database.reading() as session:
            assert len((await session.execute(FILE_KEYS)).all()) == 1

    async def test_the_application_reports_that_its_store_is_down(self, files: FileClient, runtime: Runtime) -> None:
        id_ = await files.upload()
        self.break_down(runtime)

        assert code(await files.confirm(id_)) == (503, "STORAGE_UNAVAILABLE")
