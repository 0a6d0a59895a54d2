"""Copying of files from one store to another; both are folders here."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from app.cli.main import cli
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.storage.keys import new_key
from app.storage.models import FileStatus
from app.storage.object_store import ObjectStore
from app.storage.port import StorageUnavailableError
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import LinkSigner
from app.storage.providers.local_storage import LocalStorage
from app.storage.repository import FileRepository
from app.storage.store_copy import BATCH_SIZE, MAX_CONCURRENT_COPIES, FileCopy, Outcome, StoreCopy
from tests.conftest import ME
from tests.storage.conftest import MAX_UPLOAD, stored_in
from tests.storage.objects import keys


class Disk(LocalStorage):
    """A store in a folder that counts concurrent writes and can be made to fail."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalDisk(folder), LinkSigner([SecretStr("x")]), "")
        self.fails_after: int | None = None
        self.sent: list[str] = []
        self.writing = self.most = 0

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:
        if self.fails_after is not None and len(self.sent) >= self.fails_after:
            raise StorageUnavailableError
        self.sent.append(key)
        self.writing += 1
        self.most = max(self.most, self.writing)
        try:
            await super().upload(key, content, content_type=content_type)
        finally:
            self.writing -= 1


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """The target store."""
    return Disk(tmp_path / "new")


@pytest.fixture
def target(disk: Disk) -> ObjectStore:
    """The target store behind argument validation."""
    return ObjectStore(disk, max_upload_size=MAX_UPLOAD)


@pytest.fixture
async def owner_id(client: httpx.AsyncClient, owner: dict[str, str]) -> UUID:
    """The owner's id."""
    return UUID((await client.get(ME, headers=owner)).json()["id"])


async def store(runtime: Runtime, storage: ObjectStore, owner_id: UUID, *contents: bytes) -> list[str]:
    """Add files with these contents to the owner's, and return their keys."""
    made = [new_key(owner_id) for _ in contents]
    async with runtime.database.transaction() as session:
        for key, content in zip(made, contents, strict=True):
            values = {"key": key, "name": "a", "content_type": "text/plain", "size": len(content)}
            await FileRepository(session).create_with_owner(values | {"status": FileStatus.STORED}, owner_id)
    for key, content in zip(made, contents, strict=True):
        await storage.upload(key, content, content_type="text/plain")
    return made


async def copied(
    runtime: Runtime, source: ObjectStore, target: ObjectStore, *, dry_run: bool = False
) -> list[FileCopy]:
    """Return the outcomes of all files."""
    copying = StoreCopy(database=runtime.database, source=source, target=target, dry_run=dry_run)
    return [each async for batch in copying.run() for each in batch]


def outcomes(copies: list[FileCopy]) -> list[Outcome]:
    return [each.outcome for each in copies]


class TestCopying:
    async def test_copies_the_files_of_every_owner(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID, tmp_path: Path
    ) -> None:
        large = bytes(range(256)) * 4096
        made = await store(runtime, storage, owner_id, b"one", b"", large)

        assert outcomes(await copied(runtime, storage, target)) == [Outcome.COPIED] * 3
        assert await keys(target, "files") == sorted(made)
        assert {path.read_bytes() for path in stored_in(tmp_path / "new")} == {b"one", b"", large}
        assert await keys(storage, "files") == sorted(made)

    async def test_skips_existing_copies_and_repeats_incomplete_ones(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID, disk: Disk
    ) -> None:
        made = await store(runtime, storage, owner_id, b"one", b"two", b"three")
        await target.upload(made[0], b"one", content_type="text/plain")
        await target.upload(made[1], b"t", content_type="text/plain")
        disk.sent.clear()

        assert outcomes(await copied(runtime, storage, target)) == [Outcome.PRESENT, Outcome.COPIED, Outcome.COPIED]
        assert set(disk.sent) == set(made[1:])

    async def test_continues_after_a_failure(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID
    ) -> None:
        made = await store(runtime, storage, owner_id, b"one", b"two", b"three")
        await storage.delete(made[0])
        await storage.upload(made[1], b"another", content_type="text/plain")

        copies = await copied(runtime, storage, target)

        assert [each.error for each in copies] == ["OBJECT_MISSING", "OBJECT_HAS_ANOTHER_SIZE", None]
        assert await keys(target, "files") == [made[2]]

    async def test_a_dry_run_copies_nothing(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID
    ) -> None:
        made = await store(runtime, storage, owner_id, b"one", b"two", b"three", b"four")
        await target.upload(made[0], b"one", content_type="text/plain")
        await storage.delete(made[1])
        await storage.upload(made[2], b"another", content_type="text/plain")

        copies = await copied(runtime, storage, target, dry_run=True)

        assert outcomes(copies) == [Outcome.PRESENT, Outcome.FAILED, Outcome.FAILED, Outcome.COPIED]
        assert await keys(target, "files") == [made[0]]

    async def test_skips_pending_and_deleted_files(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID
    ) -> None:
        await store(runtime, storage, owner_id, b"one")
        async with runtime.database.transaction() as session:
            for status in (FileStatus.PENDING, FileStatus.DELETING):
                values = {"key": new_key(owner_id), "name": "a", "content_type": "text/plain", "size": 1}
                due = {"status": status, "due_at": utc_now() + timedelta(hours=1)}
                await FileRepository(session).create_with_owner(values | due, owner_id)

        assert outcomes(await copied(runtime, storage, target)) == [Outcome.COPIED]

    async def test_copies_several_batches_with_limited_concurrency(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID, disk: Disk
    ) -> None:
        await store(runtime, storage, owner_id, *[b"x"] * (BATCH_SIZE + 5))

        assert outcomes(await copied(runtime, storage, target)) == [Outcome.COPIED] * (BATCH_SIZE + 5)
        assert len(disk.sent) == len(set(disk.sent)) == BATCH_SIZE + 5
        assert 1 < disk.most <= MAX_CONCURRENT_COPIES

    async def test_stops_when_a_store_is_down_and_resumes_later(
        self, runtime: Runtime, storage: ObjectStore, target: ObjectStore, owner_id: UUID, disk: Disk
    ) -> None:
        await store(runtime, storage, owner_id, *[b"x"] * (2 * BATCH_SIZE + 5))
        disk.fails_after = BATCH_SIZE

        assert Counter(outcomes(await copied(runtime, storage, target))) == {
            Outcome.COPIED: BATCH_SIZE,
            Outcome.FAILED: BATCH_SIZE,
        }
        disk.fails_after = None
        assert Counter(outcomes(await copied(runtime, storage, target))) == {
            Outcome.PRESENT: BATCH_SIZE,
            Outcome.COPIED: BATCH_SIZE + 5,
        }


async def test_the_command_requires_two_stores() -> None:
    arguments = ["files", "copy", "--from", "local", "--to", "local"]
    result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)

    assert result.exit_code == 2
    assert "name the same store" in result.output
