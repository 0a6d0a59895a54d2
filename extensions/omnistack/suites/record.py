"""The record of the cells that passed: the time and the commit of each execution."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

from omnistack.shell.errors import OmniError
from omnistack.template.catalog import Answer

DEFAULT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell that passed every step at its first attempt."""

    digest: str
    name: str
    answers: Mapping[str, Answer]
    python: str
    """As in `3.12.4`."""

    commit: str
    """The template's, as a full hash."""

    date: str
    """As in `2026-11-27`, in UTC."""

    seconds: int

    def __str__(self) -> str:
        """As in `executed at commit 98f59c1 on 2026-11-27`."""
        return f"executed at commit {self.commit[:7]} on {self.date}"


@dataclass
class Record:
    """Entries by digest. An entry is only ever made of a cell that passed, and a failure removes it."""

    file: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def read(cls, file: Path) -> "Record":
        """Read a file; one that does not exist is empty.

        Raises:
            OmniError: its content is not a record.
        """
        if not file.is_file():
            return cls(file)
        try:
            entries = [Entry(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as error:
            raise OmniError(
                f"{file} is not a record of the suites: {error}", "restore it from git or delete it"
            ) from error
        return cls(file, {entry.digest: entry for entry in entries})

    def save(self) -> None:
        """Write the file, one entry a line, whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(asdict(entry)) for entry in self)
        draft = self.file.with_suffix(".new")
        draft.write_text(f"[\n{lines}\n]\n" if lines else "[]\n", encoding="utf-8")
        draft.replace(self.file)

    def add(self, entry: Entry) -> None:
        """Enter a pass and save; safe from several threads."""
        with self._lock:
            self.entries[entry.digest] = entry
            self.save()

    def remove(self, digest: str) -> None:
        """Remove the entries of cells that have failed since, and save."""
        with self._lock:
            if self.entries.pop(digest, None) is not None:
                self.save()

    def merge(self, entries: Iterable[Entry]) -> None:
        """Take in other entries; of two for the same digest, the later one stays."""
        for entry in entries:
            known = self.entries.get(entry.digest)
            if known is None or known.date < entry.date:
                self.entries[entry.digest] = entry

    def keep(self, wanted: Iterable[Entry]) -> None:
        """Drop all other entries."""
        self.entries = {entry.digest: entry for entry in wanted}

    def last(self, answers: Mapping[str, Answer]) -> Entry | None:
        """Return the latest entry of these answers, whatever the rendering was then."""
        return max((entry for entry in self if entry.answers == answers), key=lambda entry: entry.date, default=None)

    def estimate(self, answers: Mapping[str, Answer]) -> float:
        """Estimate how many seconds a cell takes: as many as last time, or as the longest of the others."""
        if (entry := self.last(answers)) is not None:
            return entry.seconds
        return max((entry.seconds for entry in self), default=DEFAULT_SECONDS)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the entries, by name."""
        return iter(sorted(self.entries.values(), key=lambda entry: (entry.name, entry.date, entry.digest)))


def by_date(entries: Sequence[Entry]) -> list[Entry]:
    """Sort entries, the latest last."""
    return sorted(entries, key=lambda entry: (entry.date, entry.commit, entry.digest))
