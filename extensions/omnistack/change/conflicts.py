"""Conflicts between an update and the user's edits."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BEGINNING = b"<<<<<<< before updating"
EDITED_AND_REMOVED = "deleted: you edited it, and the new version no longer has it"


@dataclass(frozen=True, order=True)
class Conflict:
    """A file that the user must resolve."""

    path: str
    lines: tuple[int, ...] = ()
    """The lines at which its conflict markers begin, counted from 1."""
    note: str = ""
    """The reason, for a file without markers."""

    def __str__(self) -> str:
        """Return `path:12, 40`."""
        if self.note:
            return f"{self.path}: {self.note}"
        return f"{self.path}:{', '.join(str(line) for line in self.lines)}"


def find(root: Path, paths: Iterable[str]) -> list[Conflict]:
    """Find the conflict markers that Copier left in files below a folder."""
    found: list[Conflict] = []
    for path in paths:
        file = root / path
        if file.is_symlink() or not file.is_file():
            continue
        lines = marked_lines(file.read_bytes())
        if lines:
            found.append(Conflict(path, lines))
    return sorted(found)


def marked_lines(content: bytes) -> tuple[int, ...]:
    """List the lines at which conflicts begin."""
    if BEGINNING not in content:
        return ()
    return tuple(number for number, text in enumerate(content.splitlines(), 1) if text.rstrip() == BEGINNING)
