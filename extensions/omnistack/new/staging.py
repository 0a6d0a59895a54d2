"""Creating a project beside its destination and moving it there when it is complete: a failure leaves nothing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.signals import interrupts_deferred

PREFIX = ".omnistack-"


@dataclass
class Stage:
    """A project that is not complete yet."""

    destination: Path
    project: Path
    """Its folder until it is moved; it has the destination's name."""
    moved: bool = False

    def move_into_place(self) -> None:
        """Move the complete project to its destination."""
        _require_free(self.destination)
        if not self.destination.exists():
            self.project.rename(self.destination)
            self.moved = True
            return
        # The empty folder itself is kept: it may be a mount, or the working directory of a shell.
        done: list[Path] = []
        try:
            for child in sorted(self.project.iterdir()):
                child.rename(self.destination / child.name)
                done.append(self.destination / child.name)
        except BaseException:
            for child in done:
                child.rename(self.project / child.name)
            raise
        self.moved = True


@contextmanager
def staged(destination: Path) -> Iterator[Stage]:
    """Create a temporary place for a project. At the end, everything that was not moved is deleted."""
    destination = destination.expanduser().resolve()
    _require_usable(destination)
    _require_free(destination)
    made: list[Path] = []
    folder: Path | None = None
    try:
        parent = destination if destination.exists() else destination.parent
        made = _make_parents(parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        stage = Stage(destination, folder / destination.name)
        yield stage
    except OSError as error:
        where, why = error.filename or destination, error.strerror or type(error).__name__
        raise OmniError(f"{where} cannot be written: {why}", "choose another destination") from error
    finally:
        with interrupts_deferred(ignore=True):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            for parent in reversed(made):
                with suppress(OSError):  # not empty: it holds the project, or another file
                    parent.rmdir()


def _require_usable(destination: Path) -> None:
    if os.pathsep in str(destination):
        raise OmniError(
            f"{destination} contains {os.pathsep!r}, which separates folders in PATH: `uv run` fails there",
            "choose another destination",
        )


def _require_free(destination: Path) -> None:
    if destination.is_dir():
        if any(not child.name.startswith(PREFIX) for child in destination.iterdir()):
            raise OmniError(f"{destination} exists and is not empty", "choose another destination, or empty it first")
    elif destination.exists() or destination.is_symlink():
        raise OmniError(f"{destination} exists and is not a folder", "choose another destination")


def _make_parents(folder: Path) -> list[Path]:
    made: list[Path] = []
    for parent in reversed([folder, *folder.parents]):
        if not parent.exists():
            parent.mkdir()
            made.append(parent)
        elif not parent.is_dir():
            raise OmniError(f"{parent} is not a folder", "choose another destination")
    return made


def enclosing_repository(folder: Path) -> Path | None:
    """Return the git work tree around a folder, which may not exist yet; none outside of one."""
    for parent in folder.expanduser().resolve().parents:
        if os.path.lexists(parent / ".git"):
            return parent
    return None
