"""A backup that is restored: the data are the same, row by row, and the application runs on them."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.backup.errors import BackupError
from app.backup.restore import restore_backup
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import running
from app.main import create_app
from app.modules import MODULES
from tests.backup.conftest import FILES, context_of, execute, make, restore, rows
from tests.backup.memory_files import MemoryFiles
from tests.conftest import ME, make_client, make_runtime, sign_in_to
from tests.databases import Databases

READY = "/api/v1/public/health/ready"


async def test_a_restored_database_is_equal_row_by_row_and_the_application_starts(
    source: str, plain: Path, empty: str
) -> None:
    store = MemoryFiles()
    restored = restore(empty, plain, store)

    before = await rows(source)
    assert await rows(empty) == before
    assert len(before["users"]) > 1
    assert {name: len(found) for name, found in before.items()} == dict(restored.manifest.database.tables)
    assert restored.pending == []
    assert store.files == FILES
    runtime = make_runtime(create_database(Settings().with_database(empty)))
    async with running(runtime, background=False), make_client(create_app(MODULES, runtime=runtime)) as client:
        ready = await client.get(READY)
        assert ready.status_code == 200, ready.text
        known = await sign_in_to(runtime, client)(email="user0@example.com")
        new = await sign_in_to(runtime, client)(email="new@example.com")
        ids = str(before["users"]).replace("-", "")
        assert (await client.get(ME, headers=known)).json()["id"].replace("-", "") in ids
        assert (await client.get(ME, headers=new)).json()["id"].replace("-", "") not in ids
    # The sequence goes on where it was.
    await execute(empty, "INSERT INTO \"Odd table\" (text) VALUES ('next')")
    assert len((await rows(empty))["Odd table"]) == len(before["Odd table"]) + 1


async def test_a_backup_of_a_restored_database_restores_the_same(
    plain: Path, source: str, databases: Databases, tmp_path: Path
) -> None:
    async with databases.empty() as first, databases.empty() as second:
        restore(first, plain, None)
        restore(second, make(first, tmp_path, None), None)
        assert await rows(second) == await rows(source)


async def test_a_migrated_database_without_rows_counts_as_empty(plain: Path, source: str, databases: Databases) -> None:
    async with databases.fresh() as url:
        restore(url, plain, MemoryFiles())
        assert await rows(url) == await rows(source)


async def test_a_database_with_rows_is_refused_unless_it_is_to_be_replaced(
    plain: Path, source: str, databases: Databases
) -> None:
    async with databases.fresh() as url:
        await execute(url, "CREATE TABLE newer (id integer PRIMARY KEY)", "INSERT INTO newer VALUES (7)")
        before = await rows(url)
        with pytest.raises(BackupError, match="not empty: newer have rows"):
            restore(url, plain, MemoryFiles())
        assert await rows(url) == before

        restore(url, plain, MemoryFiles(), replace=True)
        assert await rows(url) == await rows(source)


async def test_files_that_the_store_has_are_kept(plain: Path, empty: str) -> None:
    store = MemoryFiles({"files/a/1": b"first", "other": b"stays"})
    restored = restore(empty, plain, store)
    assert (restored.files_written, restored.files_present) == (2, 1)
    assert store.files == FILES | {"other": b"stays"}


async def test_a_failing_file_store_leaves_the_database_as_it_was(plain: Path, empty: str) -> None:
    store = MemoryFiles()
    store.fails = True
    with pytest.raises(ConnectionError):
        restore(empty, plain, store)
    assert await rows(empty) == {}


async def test_another_file_under_the_same_key_is_not_overwritten(plain: Path, empty: str) -> None:
    store = MemoryFiles({"files/a/1": b"another"})
    with pytest.raises(BackupError, match="another file under the key files/a/1"):
        restore(empty, plain, store)
    assert await rows(empty) == {}
    assert store.files["files/a/1"] == b"another"


async def test_files_in_a_bucket_are_listed(source: str, empty: str, tmp_path: Path) -> None:
    file = make(source, tmp_path, MemoryFiles(FILES), is_local=False)
    assert b"x" * 1000 not in file.read_bytes()
    store = MemoryFiles()
    restored = restore(empty, file, store)
    assert restored.manifest.files is not None
    assert (restored.manifest.files.copied, restored.manifest.files.count) == (False, len(FILES))
    assert store.files == {}


async def test_a_backup_with_files_needs_a_store(plain: Path, empty: str, tmp_path: Path) -> None:
    with (
        context_of(empty, tmp_path, None) as context,
        context.backup(str(plain)) as backup,
        pytest.raises(BackupError, match="--database-only"),
    ):
        restore_backup(context, backup, identity=None, replace=False, database_only=False)
    assert await rows(empty) == {}


async def test_the_revisions_of_another_release(source: str, databases: Databases, tmp_path: Path) -> None:
    async with databases.empty() as older, databases.empty() as target:
        restore(older, make(source, tmp_path / "a", None), None)
        await execute(older, "UPDATE alembic_version SET version_num = 'future_0001' WHERE version_num LIKE 'users%'")
        file = make(older, tmp_path / "b", None)
        with pytest.raises(BackupError, match="does not know: future_0001"):
            restore(target, file, None)
        assert await rows(target) == {}

        await execute(older, "DELETE FROM alembic_version WHERE version_num = 'future_0001'")
        restored = restore(target, make(older, tmp_path / "c", None), None)
        assert any(revision.startswith("users") for revision in restored.pending)


async def test_a_backup_of_another_project_is_refused(plain: Path, source: str) -> None:
    before = await rows(source)
    with context_of(source, plain.parent, MemoryFiles()) as context:
        other = replace(context, project_name="Another")
        with other.backup(str(plain)) as backup, pytest.raises(BackupError, match="of the project Test & Co"):
            restore_backup(other, backup, identity=None, replace=True, database_only=True)
    assert await rows(source) == before
