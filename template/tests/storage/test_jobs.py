"""Deletion of objects and rows, with failures in between."""

import os
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import delete, select, update
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.storage import commands
from app.storage.jobs import ORPHAN_AGE, delete_file, remove_orphans, sweep_files
from app.storage.models import File
from app.storage.object_store import ObjectStore
from app.users.models import User
from tests.storage.conftest import stored_in
from tests.storage.requests import PNG, FileClient, code


async def change(runtime: Runtime, **values: object) -> None:
    """Update all files."""
    async with runtime.database.transaction() as session:
        await session.execute(update(File).values(**values))


async def states(runtime: Runtime) -> list[str]:
    """Return the statuses of all files."""
    async with runtime.database.reading() as session:
        return list((await session.scalars(select(col(File.status)))).all())


async def objects(storage: ObjectStore) -> int:
    """Return the number of objects in the store."""
    return sum([len(batch) async for batch in storage.list_files("files")])


def break_store(folder: Path) -> None:
    """Replace the store's folder by a loop of symbolic links."""
    folder.rename(folder.with_name("away"))
    folder.symlink_to(folder)


def repair_store(folder: Path) -> None:
    """Restore the folder."""
    folder.unlink()
    folder.with_name("away").rename(folder)


class TestSweep:
    async def test_deletes_expired_uploads(self, files: FileClient, runtime: Runtime, storage: ObjectStore) -> None:
        await files.upload()
        await files.ask()
        await change(runtime, due_at=utc_now() - timedelta(seconds=1))
        id_ = await files.store(name="kept.png")

        await sweep_files(runtime)

        assert await states(runtime) == ["stored"]
        assert await objects(storage) == 1
        assert (await files.read(id_)).status_code == 200

    async def test_keeps_uploads_that_have_not_expired(self, files: FileClient, runtime: Runtime) -> None:
        id_ = await files.upload()
        await sweep_files(runtime)

        assert (await files.confirm(id_)).status_code == 200

    async def test_finishes_a_deletion_whose_process_was_killed(
        self, files: FileClient, runtime: Runtime, storage: ObjectStore, queue: Queue
    ) -> None:
        await files.store()
        # Between the commit and the job; and between the object and the row.
        await change(runtime, status="deleting", due_at=utc_now() - timedelta(seconds=1))
        await sweep_files(runtime)
        await queue.drain()

        assert await states(runtime) == []
        assert await objects(storage) == 0

    async def test_finishes_a_deletion_whose_object_is_missing(
        self, files: FileClient, runtime: Runtime, own_folder: Path
    ) -> None:
        await files.store()
        for path in stored_in(own_folder):
            path.unlink()
        await change(runtime, status="deleting", due_at=utc_now() - timedelta(seconds=1))
        await sweep_files(runtime)

        assert await states(runtime) == []

    async def test_retries_when_the_store_is_back(
        self, files: FileClient, runtime: Runtime, storage: ObjectStore, own_folder: Path, queue: Queue
    ) -> None:
        id_ = await files.store()
        break_store(own_folder)
        assert (await files.delete(id_)).status_code == 204
        await queue.drain(raises=False)
        await change(runtime, due_at=utc_now() - timedelta(seconds=1))
        await sweep_files(runtime)
        assert await states(runtime) == ["deleting"]
        assert code(await files.read(id_)) == (404, "NOT_FOUND")

        repair_store(own_folder)
        await sweep_files(runtime)
        assert await states(runtime) == ["deleting"]
        await change(runtime, due_at=utc_now() - timedelta(seconds=1))
        await sweep_files(runtime)

        assert await states(runtime) == []
        assert await objects(storage) == 0

    async def test_deletes_the_files_of_a_deleted_user(
        self, files: FileClient, runtime: Runtime, storage: ObjectStore
    ) -> None:
        await files.store()
        async with runtime.database.transaction() as session:
            await session.execute(delete(User))
        await sweep_files(runtime)

        assert await states(runtime) == []
        assert await objects(storage) == 0

    async def test_is_started_by_the_next_upload(self, files: FileClient, runtime: Runtime, queue: Queue) -> None:
        await files.upload()
        await change(runtime, due_at=utc_now() - timedelta(seconds=1))
        await files.ask()
        await queue.drain()

        assert await states(runtime) == ["pending"]


class TestDeleteFile:
    async def test_keeps_a_file_that_is_not_deleted(
        self, files: FileClient, runtime: Runtime, storage: ObjectStore
    ) -> None:
        await delete_file(runtime, await files.store())

        assert await states(runtime) == ["stored"]
        assert await objects(storage) == 1


class TestOrphans:
    async def test_old_objects_without_a_row_are_removed(
        self, files: FileClient, runtime: Runtime, storage: ObjectStore, own_folder: Path
    ) -> None:
        await files.store()
        await storage.upload("files/nobody/old", PNG, content_type="image/png")
        long_ago = (utc_now() - ORPHAN_AGE - timedelta(minutes=1)).timestamp()
        for path in stored_in(own_folder):
            os.utime(path, (long_ago, long_ago))
        await storage.upload("files/nobody/new", PNG, content_type="image/png")
        await storage.upload("reports/another-modules", PNG, content_type="image/png")

        await remove_orphans(runtime)

        assert not await storage.exists("files/nobody/old")
        assert await storage.exists("files/nobody/new")
        assert await storage.exists("reports/another-modules")
        assert await objects(storage) == 2


def test_the_command_exists() -> None:
    assert "sweep" in CliRunner().invoke(commands.files, ["--help"]).output
