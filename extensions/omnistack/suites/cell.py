"""One cell: an answer set that is rendered and taken through every step."""

import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from omnistack.shell.process import run
from omnistack.suites import steps
from omnistack.suites.interpreters import Interpreter
from omnistack.suites.record import Entry
from omnistack.suites.steps import STEPS, Site, Step, StepError
from omnistack.template.catalog import Answer

SHOWN_LINES = 40
LOCKED_FROM = ("pyproject.toml", ".python-version", "README.md")


@dataclass(frozen=True)
class Cell:
    """A row of the covering array, with the interpreter that runs it."""

    name: str
    answers: Mapping[str, Answer]
    interpreter: Interpreter
    foreseen: str | None = None
    """The Python that the row asks for, where this machine does not have it and `interpreter` is another one."""

    pristine_tests: bool = False
    """Whether the project's tests also run before the user's module is added."""

    @property
    def python(self) -> str:
        """The Python that the project runs on, as in `3.12`."""
        return str(self.answers["python_version"])


@dataclass(frozen=True)
class Outcome:
    """The result of a cell."""

    cell: Cell
    seconds: float
    failed_step: str | None = None
    message: str = ""
    output: str = ""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by step."""

    recorded: Entry | None = None
    """The entry of an earlier run that is identical to the byte; this run did not execute the cell."""

    left_out: bool = False
    """Whether the cell did not run since it would not have ended within the budget."""

    last: Entry | None = None
    """For a cell that was left out: when its answers were last executed, whatever the rendering was then."""

    before: str = ""
    """The step at which the first attempt failed, if this is the second."""

    twin: str = ""
    """The cell with the same rendering that was executed for both."""

    @property
    def passed(self) -> bool:
        """Whether every step succeeded, now or in the recorded run."""
        return self.failed_step is None and not self.left_out


@dataclass(frozen=True)
class Rendering:
    """The files of a project, and its lock."""

    files: Mapping[str, tuple[int, bytes]]
    lock: bytes


@dataclass(frozen=True)
class Workplace:
    """Folders for cells that run one after the other, so that caches keyed by path stay valid."""

    folder: Path
    """The cell's own; that of a failed cell stays."""

    types: Path
    """Mypy's cache. Most packages are the same in most cells."""

    bytecode: Path
    """Compiled Python files."""


def write(files: Mapping[str, tuple[int, bytes]], folder: Path) -> None:
    """Write a rendering to an empty folder.

    The modification time is derived from the content, so that a compiled file of an earlier rendering at the same path
    is reused if the content is the same, and only then.
    """
    for path, (mode, content) in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode & 0o777)
        time_of_content = 1_000_000_000 + zlib.crc32(content) % 500_000_000
        os.utime(target, (time_of_content, time_of_content))


def run_cell(cell: Cell, rendering: Rendering, place: Workplace, database_url: str, *, workers: int) -> Outcome:
    """Write the rendering to a folder and take it through the steps; the folder of a failed cell stays.

    Args:
        cell: what it is.
        rendering: its files, with the lock.
        place: where.
        database_url: of a database for this cell alone.
        workers: processes that run its tests.
    """
    started = time.monotonic()
    folder = place.folder
    shutil.rmtree(folder, ignore_errors=True)
    write(rendering.files, folder)
    (folder / "uv.lock").write_bytes(rendering.lock)
    caches = {"types_cache": place.types / cell.python, "bytecode": place.bytecode / cell.python}
    variables = steps.environment(database_url, interpreter=cell.interpreter.path, **caches)
    site = Site(folder, variables, workers=workers)
    durations: dict[str, float] = {}
    for step in _steps(cell):
        begun = time.monotonic()
        try:
            step.take(site)
        except StepError as error:
            (folder / "failure.log").write_text(error.output, encoding="utf-8")
            seconds = time.monotonic() - started
            return Outcome(cell, seconds, failed_step=step.name, message=str(error), output=_tail(error.output))
        finally:
            durations[step.name] = time.monotonic() - begun
    shutil.rmtree(folder)
    return Outcome(cell, time.monotonic() - started, durations=durations)


def lock(files: Mapping[str, tuple[int, bytes]], cell: Cell) -> bytes:
    """Resolve the packages of a rendering and return the content of `uv.lock`.

    Raises:
        CommandError: there is no solution.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write({path: files[path] for path in LOCKED_FROM if path in files}, folder)
        run(["uv", "lock", "--quiet", "--python", cell.interpreter.path], cwd=folder)
        return (folder / "uv.lock").read_bytes()


def _steps(cell: Cell) -> Iterator[Step]:
    for step in STEPS:
        if step.take is steps.add_user_module and cell.pristine_tests:
            yield Step("tests as rendered", steps.tests)
        yield step
        if step.take is steps.types and cell.foreseen:
            yield Step("foresee", partial(steps.foresee, python=cell.foreseen))


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-SHOWN_LINES:])
