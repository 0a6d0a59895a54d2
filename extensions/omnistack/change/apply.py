"""Putting the result of an update in place: all of it, or nothing."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from omnistack.change.trial import RESULT_REF, Outcome
from omnistack.shell.errors import OmniError
from omnistack.shell.git import plumb
from omnistack.template.project import Project, shorten

LOCK_FILE = "uv.lock"


def require_room(project: Project, outcome: Outcome) -> None:
    """Refuse to write over files that git ignores: they are the user's, and nobody could bring them back."""
    blocked = []
    for path in outcome.paths("A"):
        file = project.root / path
        parents = [folder for folder in file.parents if folder.is_relative_to(project.root)]
        if os.path.lexists(file) or any(folder.is_symlink() or folder.is_file() for folder in parents):
            blocked.append(path)
    if blocked:
        raise OmniError(
            f"{shorten(blocked)} would be written, but something that git ignores is there already",
            "move it away and run the command again",
        )


@contextmanager
def landed(project: Project, outcome: Outcome) -> Iterator[None]:
    """Change the project's files and index; if the block that follows fails, bring everything back.

    The changes are staged, not committed. Files with conflicts are marked as unmerged, so that git refuses to commit
    them before they are resolved.
    """
    require_room(project, outcome)
    _fetch(project, outcome)
    lock = _Snapshot(project.root / LOCK_FILE)
    try:
        with _interrupts_held():
            _switch(project, outcome)
        yield
    except BaseException:
        with _interrupts_held():
            take_back(project, outcome)
            lock.restore()
        raise
    _drop_empty_caches(project, outcome)


def _fetch(project: Project, outcome: Outcome) -> None:
    """Bring the result's objects over, and see that nobody has touched the project since the rehearsal began."""
    plumb(
        project.top, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
        str(outcome.scratch), RESULT_REF,
    )  # fmt: skip
    if project.head != outcome.base:
        raise OmniError("the project got a new commit meanwhile", "run the command again")
    project.require_clean()
    plumb(project.top, "update-index", "-q", "--refresh", retcodes=(0, 1))


def _switch(project: Project, outcome: Outcome) -> None:
    plumb(project.top, "read-tree", "-m", "-u", outcome.base, outcome.commit)
    if outcome.unmerged:
        _mark_unmerged(project, outcome)


def _mark_unmerged(project: Project, outcome: Outcome) -> None:
    entries = outcome.unmerged.split(b"\0")[:-1]
    lines: list[bytes] = []
    for entry in entries:
        meta, path = entry.split(b"\t", 1)
        _mode, blob, _stage = meta.split(b" ")
        content = plumb(outcome.scratch, "cat-file", "blob", blob.decode())
        plumb(project.top, "hash-object", "-w", "--stdin", stdin=content)
        lines.append(b"0 " + b"0" * len(blob) + b"\t" + path)
    plumb(project.top, "update-index", "-z", "--index-info", stdin=b"\0".join([*lines, *entries]) + b"\0")


def take_back(project: Project, outcome: Outcome) -> None:
    """Make the files that the update touched, and their index entries, those of the last commit again."""
    added, others = outcome.paths("A"), [*outcome.paths("M"), *outcome.paths("D")]
    plumb(project.root, "update-index", "--force-remove", "-z", "--stdin", stdin=_joined(added))
    for path in added:
        (project.root / path).unlink(missing_ok=True)
        _drop_empty_folders((project.root / path).parent, project.root)
    if others:
        plumb(
            project.root, "--literal-pathspecs", "restore", f"--source={outcome.base}", "--staged", "--worktree",
            "--pathspec-from-file=-", "--pathspec-file-nul", stdin=_joined(others),
        )  # fmt: skip


def _joined(paths: list[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _drop_empty_folders(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _drop_empty_caches(project: Project, outcome: Outcome) -> None:
    """Remove the `__pycache__` of a removed module, which would keep its folder and so a name to import."""
    for parent in sorted({(project.root / path).parent for path in outcome.paths("D")}, reverse=True):
        cache = parent / "__pycache__"
        if parent == project.root or not cache.is_dir() or list(parent.iterdir()) != [cache]:
            continue
        for file in cache.glob("*.pyc"):
            file.unlink()
        _drop_empty_folders(cache, project.root)


class _Snapshot:
    """A file as it was, or that it was not there."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._content = file.read_bytes() if file.is_file() else None

    def restore(self) -> None:
        if self._content is None:
            self._file.unlink(missing_ok=True)
        elif not self._file.is_file() or self._file.read_bytes() != self._content:
            self._file.write_bytes(self._content)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let the block finish first when Ctrl-C is pressed or the program is told to end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    previous = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if held:
            raise KeyboardInterrupt
