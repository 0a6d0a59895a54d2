"""Backups in a folder: complete ones have a name, and nothing else has."""

import os
from pathlib import Path
from typing import IO

import pytest

from app.backup.errors import BackupError
from app.backup.folder import Folder
from app.backup.stage import Stage
from app.kit.file_lock import lock, open_lock_file
from tests.backup.conftest import make
from tests.processes import limited_file_size

NAME = "test-20261101T030000Z.tar"
OLDER = "test-20261031T030000Z.tar"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder of backups that does not exist yet."""
    return Folder(tmp_path / "new" / "backups", "test")


def save(folder: Folder, name: str, content: bytes = b"content") -> int:
    """Save a backup."""
    with folder.lock(), Stage(lambda target: target.write(content)) as stage:
        return folder.save(name, stage)


def test_a_backup_is_listed_once_it_is_complete(folder: Folder, tmp_path: Path) -> None:
    assert folder.backups() == []
    listed: list[int] = []

    def write(target: IO[bytes]) -> None:
        target.write(b"x" * 200_000)
        target.flush()
        listed.append(len(folder.backups()))

    with folder.lock(), Stage(write) as stage:
        assert folder.save(NAME, stage) == 200_000
    assert listed == [0]
    save(folder, OLDER)
    assert [backup.name for backup in folder.backups()] == [NAME, OLDER]
    path = tmp_path / "new/backups"
    assert path.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}
    assert (folder.checksum(NAME) or "").endswith(f"  {NAME}\n")


def test_other_files_and_other_projects_are_not_listed(folder: Folder, tmp_path: Path) -> None:
    save(folder, NAME)
    path = tmp_path / "new/backups"
    for name in ("notes.txt", f".{OLDER}.partial", "other-20261101T030000Z.tar", "test-20269901T030000Z.tar"):
        (path / name).touch()
    (path / OLDER).symlink_to(path / NAME)
    assert [backup.name for backup in folder.backups()] == [NAME]


def test_a_backup_is_never_overwritten(folder: Folder) -> None:
    save(folder, NAME, b"first")
    with pytest.raises(BackupError, match="exists already"):
        save(folder, NAME, b"second")
    with folder.open(NAME) as file:
        assert file.read() == b"first"


def test_a_failed_backup_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    def fail(target: IO[bytes]) -> None:
        target.write(b"x" * 300_000)
        raise BackupError("pg_dump failed.")

    with folder.lock(), Stage(fail) as stage, pytest.raises(BackupError, match="pg_dump failed"):
        folder.save(NAME, stage)
    assert [path.name for path in (tmp_path / "new/backups").iterdir()] == [".lock"]


def test_a_full_disk_is_named_and_loses_nothing(folder: Folder, tmp_path: Path) -> None:
    save(folder, OLDER, b"older")
    with limited_file_size(100_000), pytest.raises(BackupError, match="is full") as caught:
        save(folder, NAME, b"x" * 300_000)
    assert str(tmp_path / "new/backups") in str(caught.value)
    assert [backup.name for backup in folder.backups()] == [OLDER]
    assert not list((tmp_path / "new/backups").glob(".*partial"))
    save(folder, NAME, b"x" * 300_000)


def test_a_second_backup_waits_for_its_turn(folder: Folder) -> None:
    with folder.lock(), pytest.raises(BackupError, match="Another backup is being written"):
        save(folder, NAME)
    save(folder, NAME)


def test_the_rest_of_a_killed_backup_is_removed(folder: Folder, tmp_path: Path) -> None:
    save(folder, OLDER)
    partial = tmp_path / "new/backups" / f".{NAME}.partial"
    partial.write_bytes(b"half")
    # The lock of a killed process ends with it.
    descriptor = open_lock_file(tmp_path / "new/backups/.lock")
    lock(descriptor)
    os.close(descriptor)
    save(folder, NAME)
    assert not partial.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match="file"):
        save(Folder(tmp_path / "file", "test"), NAME)


def test_backups_of_different_times_have_different_names(source: str, tmp_path: Path) -> None:
    first = make(source, tmp_path, None)
    assert first.name.startswith("test-co-20")
    assert first.name.endswith("Z.tar")


def test_two_backups_in_a_second_have_different_names(source: str, tmp_path: Path) -> None:
    assert len({make(source, tmp_path, None).name for _ in range(3)}) == 3
