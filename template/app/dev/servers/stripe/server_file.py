"""The files that say where the fake runs, and whether its account is new."""

from pathlib import Path
from typing import Final

from app.dev.servers.announcement import NAME

NEW: Final = "new"
"""A file that exists while the account is new."""


def remove(folder: Path) -> None:
    """Remove the announcement, and the mark of a new account."""
    for name in (NAME, NEW):
        (folder / name).unlink(missing_ok=True)
