"""What the application has to do with users' files, whatever the store. A contract of stores inherits the class."""

from abc import ABC, abstractmethod

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.storage.models import File
from app.storage.service import StorageService
from tests.storage.requests import PNG, FileClient, code
from tests.storage.stores import keys

FILE_KEYS = select(col(File.key))


@pytest.mark.usefixtures("configured")
class FilesContract(ABC):
    """Files come and go with their rows, and neither without the other."""

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
        """Selects the provider. `usefixtures` has it done before there is an application."""
        for name, value in provider_settings.items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def file_client(self, client: httpx.AsyncClient, web: httpx.AsyncClient) -> FileClient:
        """The file API, for nobody yet."""
        return FileClient(api=client, web=web, headers={})

    @abstractmethod
    def break_down(self, runtime: Runtime) -> None:
        """Makes the store unusable."""

    async def test_the_application_takes_a_file_and_gives_it_back(
        self, files: FileClient, storage: StorageService, queue: Queue
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

    async def test_the_application_refuses_what_was_not_announced(
        self, files: FileClient, storage: StorageService, queue: Queue
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

    async def test_the_application_says_when_its_store_is_down(self, files: FileClient, runtime: Runtime) -> None:
        id_ = await files.upload()
        self.break_down(runtime)

        assert code(await files.confirm(id_)) == (503, "STORAGE_UNAVAILABLE")
