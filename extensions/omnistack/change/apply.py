"""Applying the result of an update to the project: all of it, or nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnistack.change.trial import RESULT_REF, Outcome
from omnistack.shell.errors import OmniError
from omnistack.shell.git import git_bytes
from omnistack.shell.signals import interrupts_deferred
from omnistack.template.project import CommittedProject, shorten

LOCK_FILE = "uv.lock"


def require_room(project: CommittedProject, outcome: Outcome) -> None:
    """Refuse to overwrite ignored files: git has no copy of them."""
    blocked = []
    for path in outcome.paths("A"):
        file = project.root / path
        parents = [folder for folder in file.parents if folder.is_relative_to(project.root)]
        if os.path.lexists(file) or any(folder.is_symlink() or folder.is_file() for folder in parents):
            blocked.append(path)
    if blocked:
        raise OmniError(
            f"{shorten(blocked)} would be written, but a file that git ignores is in the way",
            "move that file and run the command again",
        )


@contextmanager
def applied(project: CommittedProject, outcome: Outcome) -> Iterator[None]:
    """Change the project's files and index; if the block fails, restore everything.

    The changes are staged, not committed. Files with conflicts are marked as unmerged, so that git refuses to commit
    them until they are resolved.
    """
    require_room(project, outcome)
    _fetch(project, outcome)
    lock = _Snapshot(project.root / LOCK_FILE)
    try:
        with interrupts_deferred():
            _switch(project, outcome)
        yield
    except BaseException:
        with interrupts_deferred():
            restore(project, outcome)
            lock.restore()
        raise
    _drop_empty_caches(project, outcome)


def _fetch(project: CommittedProject, outcome: Outcome) -> None:
    """Fetch the result's objects, and check that the project has not changed since the trial began."""
    git_bytes(
        project.top, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
        str(outcome.scratch), RESULT_REF,
    )  # fmt: skip
    if project.head != outcome.base:
        raise OmniError("another commit was made in the project meanwhile", "run the command again")
    project.require_clean()
    git_bytes(project.top, "update-index", "-q", "--refresh", ok=(0, 1))


def _switch(project: CommittedProject, outcome: Outcome) -> None:
    git_bytes(project.top, "read-tree", "-m", "-u", outcome.base, outcome.commit)
    if outcome.unmerged:
        _mark_unmerged(project, outcome)


def _mark_unmerged(project: CommittedProject, outcome: Outcome) -> None:
    entries = outcome.unmerged.split(b"\0")[:-1]
    lines: list[bytes] = []
    for entry in entries:
        meta, path = entry.split(b"\t", 1)
        _mode, blob, _stage = meta.split(b" ")
        content = git_bytes(outcome.scratch, "cat-file", "blob", blob.decode())
        git_bytes(project.top, "hash-object", "-w", "--stdin", stdin=content)
        lines.append(b"0 " + b"0" * len(blob) + b"\t" + path)
    git_bytes(project.top, "update-index", "-z", "--index-info", stdin=b"\0".join([*lines, *entries]) + b"\0")


def restore(project: CommittedProject, outcome: Outcome) -> None:
    """Restore the files that the update changed, and their index entries, from the last commit."""
    added, others = outcome.paths("A"), [*outcome.paths("M"), *outcome.paths("D")]
    git_bytes(project.root, "update-index", "--force-remove", "-z", "--stdin", stdin=_joined(added))
    for path in added:
        (project.root / path).unlink(missing_ok=True)
        _drop_empty_folders((project.root / path).parent, project.root)
    if others:
        git_bytes(
            project.root, "--literal-pathspecs", "restore", f"--source={outcome.base}", "--staged", "--worktree",
            "--pathspec-from-file=-", "--pathspec-file-nul", stdin=_joined(others),
        )  # fmt: skip


def _joined(paths: list[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _drop_empty_folders(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _drop_empty_caches(project: CommittedProject, outcome: Outcome) -> None:
    """Delete the `__pycache__` of a removed module: with it, the folder would stay and could still be imported."""
    for parent in sorted({(project.root / path).parent for path in outcome.paths("D")}, reverse=True):
        cache = parent / "__pycache__"
        if parent == project.root or not cache.is_dir() or list(parent.iterdir()) != [cache]:
            continue
        for file in cache.glob("*.pyc"):
            file.unlink()
        _drop_empty_folders(cache, project.root)


class _Snapshot:
    """The content of a file, or its absence."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._content = file.read_bytes() if file.is_file() else None

    def restore(self) -> None:
        if self._content is None:
            self._file.unlink(missing_ok=True)
        elif not self._file.is_file() or self._file.read_bytes() != self._content:
            self._file.write_bytes(self._content)
