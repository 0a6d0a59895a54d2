"""What every store in another system has to do besides: files come to it from the local one, and go back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import running
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.storage.service import get_storage_service
from tests.conftest import make_client, make_runtime, sign_in_to
from tests.databases import Databases
from tests.storage.conftest import stored_in
from tests.storage.contract import StorageContract
from tests.storage.requests import PNG, FileClient
from tests.storage.stores import content, keys

LARGE = bytes(range(256)) * 4096 * 6


async def copy(*arguments: str) -> Result:
    """Runs `app files copy`; in a thread, since it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["files", "copy", *arguments])


class RemoteStorageContract(StorageContract):
    """Its files can be moved."""

    provider: ClassVar[str]

    @pytest.fixture
    async def moving(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
        """An application whose database the command finds."""
        async with databases.fresh() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            async with running(make_runtime(create_database(Settings())), background=False) as started:
                yield started

    @pytest.fixture
    async def stored(self, moving: Runtime, web: httpx.AsyncClient) -> AsyncIterator[FileClient]:
        """Somebody who has two files in the store."""
        async with make_client(create_app(MODULES, runtime=moving)) as client:
            files = FileClient(api=client, web=web, headers=await sign_in_to(moving, client)())
            await files.store()
            await files.store(LARGE, name="large", content_type="application/x-large")
            yield files

    async def test_files_go_to_another_store_and_back(
        self, stored: FileClient, moving: Runtime, own_folder: Path
    ) -> None:
        storage = get_storage_service(moving)
        made = await keys(storage, "files")
        there = await copy("--from", self.provider, "--to", "local")
        for key in made:
            await storage.delete(key)
        tried = await copy("--from", "local", "--to", self.provider, "--dry-run")
        assert await keys(storage, "files") == []
        back = await copy("--from", "local", "--to", self.provider)
        again = await copy("--from", "local", "--to", self.provider)

        assert [result.exit_code for result in (there, tried, back, again)] == [0] * 4, back.output
        assert {path.read_bytes() for path in stored_in(own_folder)} == {PNG, LARGE}
        assert await keys(storage, "files") == made
        assert sorted([len(await content(storage, key)) for key in made]) == [len(PNG), len(LARGE)]
        for item in (await stored.list())["items"]:
            assert (await stored.download(item["id"])).content in {PNG, LARGE}
        assert "2 to copy" in tried.output
        assert f"From local to {self.provider}: 2 copied ({len(PNG) + len(LARGE)} bytes)" in back.output
        assert "2 there already, 0 failed" in again.output

    async def test_what_cannot_go_is_named_and_ends_with_an_error(self, stored: FileClient, moving: Runtime) -> None:
        storage = get_storage_service(moving)
        for key in await keys(storage, "files"):
            await storage.delete(key)
        failed = await copy("--from", "local", "--to", self.provider)
        ids = {item["id"] for item in (await stored.list())["items"]}

        assert failed.exit_code == 1
        assert {f"file {id_} failed: OBJECT_MISSING" for id_ in ids} <= set(failed.output.splitlines())
        assert "0 copied (0 bytes), 0 there already, 2 failed" in failed.output
