"""The backups that remain, and those that are deleted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.backup.destination import StoredBackup, backup_name, parse_name
from app.backup.errors import BackupError
from app.backup.folder import Folder
from app.backup.retention import kept_backups, prune_backups
from app.backup.stage import Stage

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def backup(time: datetime) -> StoredBackup:
    """Return a backup of a time."""
    found = parse_name(backup_name("test", time, encrypted=False), 1)
    assert found is not None
    return found


def fill(folder: Folder, times: list[datetime]) -> None:
    """Save a backup for each time."""
    for time in times:
        with folder.lock(), Stage(lambda target: target.write(b"content")) as stage:
            folder.save(backup_name("test", time, encrypted=False), stage)


def dates(backups: list[StoredBackup]) -> list[str]:
    """Return the days of backups."""
    return [f"{each.created_at:%m-%d}" for each in backups]


def test_the_newest_of_each_day_and_week_remain() -> None:
    # The newest first: 3 a day for 60 days.
    backups = [backup(NOW - timedelta(hours=8 * number)) for number in range(180)]
    kept = kept_backups(backups, daily=7, weekly=4)
    # 28 November 2026 is a Saturday: weeks end on 22, 15 and 8 November.
    assert dates(kept) == ["11-28", "11-27", "11-26", "11-25", "11-24", "11-23", "11-22", "11-15", "11-08"]
    assert kept[0] == backups[0]


def test_a_pause_deletes_nothing_more() -> None:
    old = [backup(NOW - timedelta(days=400 + number)) for number in range(3)]
    assert kept_backups(old, daily=7, weekly=4) == old
    assert kept_backups(old, daily=1, weekly=0) == old[:1]
    assert kept_backups([], daily=1, weekly=1) == []


def test_old_backups_are_deleted_with_their_checksums(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "test")
    fill(folder, [NOW - timedelta(days=number) for number in range(4)])
    pruned = prune_backups(folder, daily=2, weekly=0)
    assert (dates(pruned.kept), dates(pruned.deleted)) == (["11-28", "11-27"], ["11-26", "11-25"])
    assert len(list(tmp_path.glob("*.sha256"))) == len(folder.backups()) == 2
    assert prune_backups(folder, daily=2, weekly=0).deleted == []


def test_the_last_intact_backup_is_never_deleted(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "test")
    fill(folder, [NOW - timedelta(days=number) for number in range(3)])
    newest, second, _oldest = folder.backups()
    (tmp_path / newest.name).write_bytes(b"changed")
    with pytest.raises(BackupError, match="None of the 1 backups that would remain"):
        prune_backups(folder, daily=1, weekly=0)
    assert len(folder.backups()) == 3

    pruned = prune_backups(folder, daily=2, weekly=0)
    assert (pruned.damaged, len(pruned.deleted)) == ([newest], 1)
    assert folder.backups() == [newest, second] or len(folder.backups()) == 2
