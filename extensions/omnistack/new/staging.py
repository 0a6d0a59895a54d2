"""A project is made beside its destination and moved there whole: a failure leaves nothing, and loses nothing."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from omnistack.shell.errors import OmniError

PREFIX = ".omnistack-"


@dataclass
class Stage:
    """A project in the making."""

    destination: Path
    project: Path
    """Where it lies until it is moved; its last part is the destination's name."""
    moved: bool = False

    def move_into_place(self) -> None:
        """Put the finished project where it was asked for. What stood there before stays: it was empty."""
        _require_free(self.destination)
        if not self.destination.exists():
            self.project.rename(self.destination)
            self.moved = True
            return
        # The folder itself stays: somebody may stand in it, or it is a mount.
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
    """Make a place for a project; whatever was not moved is gone at the end, with the folders made for it."""
    destination = destination.expanduser().resolve()
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
        with _uninterrupted():
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            for parent in reversed(made):
                with suppress(OSError):  # not empty: the project, or somebody else's file, is in it
                    parent.rmdir()


def _require_free(destination: Path) -> None:
    if destination.is_dir():
        if any(not child.name.startswith(PREFIX) for child in destination.iterdir()):
            raise OmniError(f"{destination} exists and is not empty", "choose another destination, or empty it first")
    elif destination.exists() or destination.is_symlink():
        raise OmniError(f"{destination} exists and is no folder", "choose another destination")


def _make_parents(folder: Path) -> list[Path]:
    made: list[Path] = []
    for parent in reversed([folder, *folder.parents]):
        if not parent.exists():
            parent.mkdir()
            made.append(parent)
        elif not parent.is_dir():
            raise OmniError(f"{parent} is no folder", "choose another destination")
    return made


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C not stop the tidying up after the first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def enclosing_repository(folder: Path) -> Path | None:
    """Find the git work tree that a folder which may not exist yet would lie in."""
    for parent in folder.expanduser().resolve().parents:
        if os.path.lexists(parent / ".git"):
            return parent
    return None
