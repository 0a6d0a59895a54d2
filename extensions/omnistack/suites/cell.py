"""One cell: an answer set, rendered and taken through every step."""

import hashlib
import os
import shutil
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from omnistack.shell.process import CommandError, run
from omnistack.suites import steps
from omnistack.suites.steps import STEPS, Site, Step, StepError
from omnistack.template.catalog import Answer

SHOWN_LINES = 40
ANSWERS_FILE = ".copier-answers.yml"


@dataclass(frozen=True)
class Cell:
    """A point of the covering array."""

    name: str
    answers: Mapping[str, Answer]
    foreseen: str | None = None
    """The Python that its row has, where that is not on this machine and another stands in."""

    @property
    def python(self) -> str:
        """The Python that the project runs on, as in `3.12`."""
        return str(self.answers["python_version"])


@dataclass(frozen=True)
class Outcome:
    """What became of a cell."""

    cell: Cell
    seconds: float
    failed_step: str | None = None
    message: str = ""
    output: str = ""
    skipped: bool = False
    """A byte-identical rendering passed before on this machine, at the same lock."""

    before: str = ""
    """Where a first attempt failed: this is the second. A machine that does two cells at a time is busy; it is told."""

    twin: str = ""
    """The cell of the same rendering that was run in its stead."""

    @property
    def passed(self) -> bool:
        """Whether every step succeeded, now or before."""
        return self.failed_step is None


@dataclass(frozen=True)
class Workplace:
    """Where cells are made one after the other: what is remembered of their files by path goes on being true."""

    folder: Path
    """The cell's; a failed one stays there."""

    types: Path
    """What mypy knows of files. Packages are the same in most cells."""

    bytecode: Path
    """What Python has compiled."""


class Ledger:
    """Remembers, on this machine, which renderings have passed: the hash of all that could matter, one a line."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __contains__(self, key: str) -> bool:
        return self._file.is_file() and key in self._file.read_text(encoding="utf-8").split()

    def add(self, key: str) -> None:
        """Remember a pass."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{key}\n")


def write(files: Mapping[str, tuple[int, bytes]], folder: Path) -> None:
    """Write a rendering to an empty folder.

    A file's time tells its content: where another rendering's lay at the same path, what was compiled of it is used
    again if it is the same, and only then.
    """
    for path, (mode, content) in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode & 0o777)
        time_of_content = 1_000_000_000 + zlib.crc32(content) % 500_000_000
        os.utime(target, (time_of_content, time_of_content))


def fingerprint(cell: Cell, files: Mapping[str, tuple[int, bytes]]) -> str:
    """Hash a rendering and the Python that runs it.

    The answers file is left out: nothing runs it, and it records the template's commit, which is another each time.
    """
    digest = hashlib.sha256(f"{cell.python} {cell.foreseen} {sys.platform}".encode())
    for path, (mode, content) in sorted(files.items()):
        if path != ANSWERS_FILE:
            digest.update(f"{path}\0{mode & 0o111}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _key(rendering: str, folder: Path) -> str:
    """Hash what else a pass depends on: the lock and the steps."""
    digest = hashlib.sha256(rendering.encode())
    for file in (folder / "uv.lock", Path(__file__), Path(steps.__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def run_cell(
    cell: Cell,
    files: Mapping[str, tuple[int, bytes]],
    place: Workplace,
    database_url: str,
    passed: Ledger,
    *,
    fresh: bool,
) -> Outcome:
    """Render the cell to a folder and take it through the steps; the folder of a failed cell stays."""
    started = time.monotonic()
    folder = place.folder
    shutil.rmtree(folder, ignore_errors=True)
    write(files, folder)
    failed: tuple[str, str, str] | None = None
    key = ""
    try:
        run(["uv", "lock", "--quiet", "--python", cell.python], cwd=folder)
        key = _key(fingerprint(cell, files), folder)
        if key in passed and not fresh:
            shutil.rmtree(folder)
            return Outcome(cell, time.monotonic() - started, skipped=True)
    except CommandError as error:
        failed = ("lock", str(error), error.output)
    caches = {"types_cache": place.types / cell.python, "bytecode": place.bytecode / cell.python}
    site = Site(folder, steps.environment(database_url, **caches))
    for step in _steps(cell) if failed is None else ():
        try:
            step.take(site)
        except StepError as error:
            failed = (step.name, str(error), error.output)
            break
    seconds = time.monotonic() - started
    if failed is None:
        passed.add(key)
        shutil.rmtree(folder)
        return Outcome(cell, seconds)
    (folder / "failure.log").write_text(failed[2], encoding="utf-8")
    return Outcome(cell, seconds, failed_step=failed[0], message=failed[1], output=_tail(failed[2]))


def _steps(cell: Cell) -> Iterator[Step]:
    for step in STEPS:
        yield step
        if step.take is steps.types and cell.foreseen:
            yield Step("foresee", partial(steps.foresee, python=cell.foreseen))


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-SHOWN_LINES:])
