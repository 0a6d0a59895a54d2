"""An update tried out in a temporary clone, so that the project changes only after everything went well.

Copier changes a folder step by step; when it fails or is interrupted, the folder stays half updated. Here it works on a
clone of the project's last commit, which keeps every ignored file (`.env`, databases) out of its reach. The result is
one tree, which `apply.applied` puts in place in one step.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnistack.change import conflicts
from omnistack.change.requirements import MANIFEST, settle
from omnistack.shell.errors import OmniError
from omnistack.shell.git import git, git_bytes, git_names
from omnistack.template.project import (
    ANSWERS_FILE,
    Answers,
    CommittedProject,
    parse_answers,
    public_answers,
    record_source,
)
from omnistack.template.source import Origin

RESULT_REF = "refs/omnistack/result"


@dataclass(frozen=True)
class Change:
    """A file that differs: A added, M modified, D deleted."""

    kind: str
    path: str
    """Relative to the project's folder."""


@dataclass(frozen=True)
class Outcome:
    """The result of an update, before it is applied."""

    scratch: Path
    """The root of the temporary clone."""
    base: str
    """The project's commit that was updated."""
    commit: str
    """The result, a commit in the clone."""
    changes: tuple[Change, ...]
    conflicts: tuple[conflicts.Conflict, ...]
    unmerged: bytes
    """The index entries of files with conflicts, as `git update-index --index-info` reads them."""
    answers: Answers
    version: str

    def paths(self, kind: str) -> list[str]:
        """List the files that are added (A), modified (M) or deleted (D)."""
        return [change.path for change in self.changes if change.kind == kind]


@contextmanager
def tried(
    project: CommittedProject, origin: Origin, *, ref: str | None, answers: Mapping[str, str | bool]
) -> Iterator[Outcome]:
    """Run `copier update` on a clone of the project: to a commit of the template, or (no `ref`) at its own version."""
    with tempfile.TemporaryDirectory(prefix="omnistack-update-", ignore_cleanup_errors=True) as temporary:
        scratch = Path(temporary).resolve() / "project"
        folder = scratch / project.prefix
        base = project.head
        git(project.top, "clone", "--quiet", "--shared", "--no-checkout", project.top, scratch)
        git(scratch, "checkout", "--quiet", "--detach", base, isolated=True)
        if origin.source != project.source:
            record_source(folder / ANSWERS_FILE, origin.source)
            git(scratch, "commit", "--quiet", "--all", "--no-verify", "--message", "Another source", isolated=True)
        _copier_update(folder, origin.template.root, ref, answers)
        _merge_requirements(folder)
        yield _outcome(project, scratch, base)


def _copier_update(folder: Path, repository: Path, ref: str | None, answers: Mapping[str, str | bool]) -> None:
    from omnistack.template.copier_update import update  # imports Copier, which takes half a second

    update(folder, repository, ref, answers)


def _merge_requirements(folder: Path) -> None:
    """Merge a `pyproject.toml` with conflicts again, package by package."""
    stages = git_names(folder, "ls-files", "--unmerged", "-z", "--", MANIFEST)
    blobs = {stage: blob for _mode, blob, stage in (entry.split("\t")[0].split() for entry in stages)}
    if set(blobs) != {"1", "2", "3"}:
        return
    base, ours, theirs = (git_bytes(folder, "cat-file", "blob", blobs[stage]).decode() for stage in "123")
    with tempfile.TemporaryDirectory(prefix="omnistack-merge-") as temporary:
        sides = [Path(temporary) / name for name in ("ours", "base", "theirs")]
        settled = settle(base, ours, theirs)
        for side, text in zip(sides, (settled[1], settled[0], settled[2]), strict=True):
            side.write_bytes(text.encode())
        labels = [part for label in ("before updating", "last update", "after updating") for part in ("-L", label)]
        merged = git_bytes(folder, "merge-file", "-p", *labels, *sides, ok=tuple(range(128)), isolated=True)
    (folder / MANIFEST).write_bytes(merged)
    if not conflicts.marked_lines(merged):
        git(folder, "add", "--", MANIFEST, isolated=True)


def _outcome(project: CommittedProject, scratch: Path, base: str) -> Outcome:
    unmerged = git_bytes(scratch, "ls-files", "--unmerged", "-z")
    # Everything in the clone was committed or rendered: no ignore rule, not even one of the project's own, may drop it.
    git(scratch, "add", "--all", "--force", isolated=True)
    tree = git(scratch, "write-tree", isolated=True)
    commit = git(scratch, "commit-tree", tree, "-p", base, "-m", "The result of an update", isolated=True)
    git(scratch, "update-ref", RESULT_REF, commit)
    folder = scratch / project.prefix
    # With --relative, the rest of a larger repository is left out; Copier changes nothing there.
    status = git_names(
        folder, "diff", "--name-status", "--no-renames", "--relative", "-z", base, commit, "--", ".", isolated=True
    )
    changes = tuple(
        Change("M" if kind == "T" else kind, path) for kind, path in zip(status[::2], status[1::2], strict=True)
    )
    document = parse_answers((folder / ANSWERS_FILE).read_text(encoding="utf-8"), ANSWERS_FILE)
    if "_commit" not in document:
        raise OmniError(
            f"the update recorded no version in {ANSWERS_FILE}, and the project was not changed",
            "report it as a bug of the template",
        )
    return Outcome(
        scratch=scratch,
        base=base,
        commit=commit,
        changes=changes,
        conflicts=tuple(conflicts.find(folder, (change.path for change in changes if change.kind != "D"))),
        unmerged=unmerged,
        answers=public_answers(document),
        version=str(document["_commit"]),
    )
