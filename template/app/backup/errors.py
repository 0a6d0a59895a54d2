"""Errors of backups, which the command line shows without a traceback."""

from app.kit.user_error import UserError


class BackupError(UserError):
    """A backup cannot be made or used. The message says why and what to do."""


class DamagedError(BackupError):
    """The file is not the backup that was written.

    Args:
        reason: what is wrong: a sentence without its capital letter and full stop.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The backup is damaged: {reason}. Nothing was changed. Use another backup.")
        self.reason = reason
