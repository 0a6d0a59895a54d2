"""Backups of files on this machine's disk."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.backup.context import BackupContext
from app.backup.create import create_backup
from app.backup.portal import Portal
from app.backup.restore import restore_backup
from app.backup.settings import BackupSettings
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import create_runtime
from app.core.ports.file_stores import FileStores
from app.modules import MODULES
from app.storage.port import StorageUnavailableError

KEYS = ("files/0197/aa", "files/0197/bb", "reports/daily")


@pytest.fixture
async def context(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BackupContext]:
    """The context of a command, with the store that the settings select."""
    monkeypatch.setenv("STORAGE_PROVIDER", "local")
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "files"))
    database = create_database(Settings().with_database(source))
    runtime = create_runtime(MODULES, database=database)
    with Portal() as portal:
        yield BackupContext(
            project_name="Test",
            settings=BackupSettings(BACKUP_DIR=str(tmp_path / "backups")),
            stores=runtime.resource(FileStores),
            portal=portal,
            database_url=source,
        )
    await database.dispose()


def fill(folder: Path) -> dict[str, bytes]:
    """Write files as the local store keeps them, and others that are none of its files."""
    for number, key in enumerate(KEYS):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 300_000 * number)
    (folder / ".partial").mkdir()
    (folder / ".partial/unfinished").write_bytes(b"half")
    (folder / "files/.DS_Store").touch()
    (folder / "files/link").symlink_to("/etc/passwd")
    return stored(folder)


def stored(folder: Path) -> dict[str, bytes]:
    """Return the files of the store."""
    return {key: (folder / key).read_bytes() for key in KEYS if (folder / key).is_file()}


async def test_files_are_restored_as_they_were(context: BackupContext, tmp_path: Path, empty: str) -> None:
    folder = tmp_path / "files"
    (folder / "files").mkdir(parents=True)
    before = fill(folder)
    with context.destination(None) as destination:
        created = create_backup(context, destination, database_only=False)
    assert created.manifest.files is not None
    assert (created.manifest.files.copied, created.manifest.files.count) == (True, len(KEYS))

    folder.rename(tmp_path / "lost")
    target = replace(context, database_url=empty)
    with target.backup("latest") as backup:
        restored = restore_backup(target, backup, identity=None, replace=False, database_only=False)
    assert restored.files_written == len(KEYS)
    assert stored(folder) == before


async def test_a_restore_does_not_follow_a_link_out_of_the_folder(
    context: BackupContext, tmp_path: Path, empty: str
) -> None:
    folder = tmp_path / "files"
    (folder / "files").mkdir(parents=True)
    fill(folder)
    with context.destination(None) as destination:
        create_backup(context, destination, database_only=False)
    folder.rename(tmp_path / "lost")
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "reports").symlink_to(tmp_path / "outside")
    target = replace(context, database_url=empty)
    with target.backup("latest") as backup, pytest.raises(StorageUnavailableError):
        restore_backup(target, backup, identity=None, replace=False, database_only=False)
    assert list((tmp_path / "outside").iterdir()) == []
