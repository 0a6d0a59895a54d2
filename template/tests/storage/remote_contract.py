"""The contract of stores in other systems: files can be copied to and from the local store."""

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
from app.storage.object_store import get_object_store
from tests.conftest import make_client, make_runtime, sign_in_to
from tests.databases import Databases
from tests.storage.conftest import stored_in
from tests.storage.contract import StorageContract
from tests.storage.objects import content, keys
from tests.storage.requests import PNG, FileClient

LARGE = bytes(range(256)) * 4096 * 6


async def copy(*arguments: str) -> Result:
    """Run `app files copy` in a thread, since it has its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["files", "copy", *arguments])


class RemoteStorageContract(StorageContract):
    """Files can be copied to another store and back."""

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
        """A user with two files in the store."""
        async with make_client(create_app(MODULES, runtime=moving)) as client:
            files = FileClient(api=client, web=web, headers=await sign_in_to(moving, client)())
            await files.store()
            await files.store(LARGE, name="large", content_type="application/x-large")
            yield files

    async def test_files_are_copied_to_another_store_and_back(
        self, stored: FileClient, moving: Runtime, own_folder: Path
    ) -> None:
        storage = get_object_store(moving)
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
        assert "2 present, 0 failed" in again.output

    async def test_failed_copies_are_listed_and_fail_the_command(self, stored: FileClient, moving: Runtime) -> None:
        storage = get_object_store(moving)
        for key in await keys(storage, "files"):
            await storage.delete(key)
        failed = await copy("--from", "local", "--to", self.provider)
        ids = {item["id"] for item in (await stored.list())["items"]}

        assert failed.exit_code == 1
        assert {f"file {id_} failed: OBJECT_MISSING" for id_ in ids} <= set(failed.output.splitlines())
        assert "0 copied (0 bytes), 0 present, 2 failed" in failed.output
