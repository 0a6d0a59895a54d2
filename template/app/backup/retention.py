"""Which backups to keep, and the deletion of the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.backup.destination import BackupFile, Destination, StoredBackup
from app.backup.errors import BackupError, DamagedError

KEEP_DAILY: Final = 7
KEEP_WEEKLY: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class PrunedBackups:
    """The outcome of a deletion.

    Attributes:
        kept: those that remain, the newest first.
        deleted: those that were deleted.
        damaged: those that differ from their checksums, as far as they were checked. They remain.
    """

    kept: list[StoredBackup]
    deleted: list[StoredBackup]
    damaged: list[StoredBackup]


def kept_backups(backups: Sequence[StoredBackup], *, daily: int, weekly: int) -> list[StoredBackup]:
    """Return the newest backup of each of the last days and weeks that have one, and the newest of all.

    Args:
        backups: the newest first.
        daily: the number of days, in UTC.
        weekly: the number of weeks, which begin on Monday.
    """
    days: dict[object, StoredBackup] = {}
    weeks: dict[object, StoredBackup] = {}
    for backup in backups:
        days.setdefault(backup.created_at.date(), backup)
        weeks.setdefault(backup.created_at.isocalendar()[:2], backup)
    names = {backup.name for backup in (*list(days.values())[:daily], *list(weeks.values())[:weekly], *backups[:1])}
    return [backup for backup in backups if backup.name in names]


def prune_backups(destination: Destination, *, daily: int, weekly: int) -> PrunedBackups:
    """Delete backups that are too old. The newest intact one is never among them.

    Nothing is deleted before one of the backups that remain has agreed with its checksum.

    Raises:
        BackupError: none of them does.
    """
    with destination.lock():
        backups = destination.backups()
        kept = kept_backups(backups, daily=daily, weekly=weekly)
        deleted = [backup for backup in backups if backup not in kept]
        damaged = _check(destination, kept) if deleted else []
        for backup in deleted:
            destination.delete(backup.name)
    return PrunedBackups(kept=kept, deleted=deleted, damaged=damaged)


def _check(destination: Destination, kept: Sequence[StoredBackup]) -> list[StoredBackup]:
    """Look for an intact backup, and return the damaged ones that are newer."""
    damaged: list[StoredBackup] = []
    for backup in kept:
        try:
            if BackupFile.of(destination, backup.name).verify_checksum():
                return damaged
        except DamagedError:
            pass
        damaged.append(backup)
    raise BackupError(
        f"None of the {len(kept)} backups that would remain in {destination.shown} agrees with its checksum. Nothing "
        "was deleted. Make a new backup, and find out why they changed."
    )
