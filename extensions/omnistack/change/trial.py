"""An update tried out in a scratch clone, so that the user's project is touched only once all has gone well.

Copier changes the folder that it updates step by step; when it fails or is interrupted, it leaves whatever it has done.
Here it works on a clone of the project's last commit, which also keeps every file that git ignores (`.env`, databases)
out of its reach. What comes out is one tree that `landing.land` puts in place in one step.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnistack.change import conflicts
from omnistack.change.requirements import MANIFEST, settle
from omnistack.shell.errors import OmniError
from omnistack.shell.git import line, names, plumb
from omnistack.template.project import ANSWERS_FILE, Answers, Project, parse_answers, public_answers

CURRENT = ":current:"
RESULT_REF = "refs/omnistack/result"


@dataclass(frozen=True)
class Change:
    """A file that differs: A added, M changed, D removed."""

    kind: str
    path: str
    """Below the project's folder."""


@dataclass(frozen=True)
class Outcome:
    """What an update would make of the project."""

    scratch: Path
    """The clone's root; gone when the rehearsal ends."""
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
        """List the files that are added (A), changed (M) or removed (D)."""
        return [change.path for change in self.changes if change.kind == kind]


@contextmanager
def rehearse(project: Project, *, source: str, ref: str, answers: Mapping[str, str | bool]) -> Iterator[Outcome]:
    """Run `copier update` on a clone of the project; `ref` is a commit of the template, or `:current:`."""
    with tempfile.TemporaryDirectory(prefix="omnistack-update-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder).resolve() / "project"
        base = project.head
        plumb(project.top, "clone", "--quiet", "--shared", "--no-checkout", str(project.top), str(scratch))
        plumb(scratch, "checkout", "--quiet", "--detach", base)
        # Copier asks git for untracked files to find what it could not merge; a whole new folder would hide them.
        plumb(scratch, "config", "status.showUntrackedFiles", "all")
        if source != project.source:
            _point_at(scratch / project.prefix / ANSWERS_FILE, source)
            plumb(scratch, "commit", "--quiet", "--all", "--no-verify", "--message", "Another source")
        _copier_update(scratch / project.prefix, ref, answers)
        _settle_requirements(scratch / project.prefix)
        yield _outcome(project, scratch, base)


def _point_at(file: Path, source: str) -> None:
    """Change the recorded source, in the clone only; Copier then records it in the result."""
    text = file.read_text(encoding="utf-8")
    written = re.sub(r"(?m)^_src_path:.*(\n[ \t]+.*)*$", lambda _: f"_src_path: {json.dumps(source)}", text, count=1)
    file.write_text(written, encoding="utf-8")


def _copier_update(folder: Path, ref: str, answers: Mapping[str, str | bool]) -> None:
    from omnistack.template.copier_update import update

    update(folder, None if ref == CURRENT else ref, answers)


def _settle_requirements(folder: Path) -> None:
    """Merge a `pyproject.toml` with conflicts again, package by package."""
    stages = names(folder, "ls-files", "--unmerged", "-z", "--", MANIFEST)
    blobs = {stage: blob for _mode, blob, stage in (entry.split("\t")[0].split() for entry in stages)}
    if set(blobs) != {"1", "2", "3"}:
        return
    base, ours, theirs = (plumb(folder, "cat-file", "blob", blobs[stage]).decode() for stage in "123")
    with tempfile.TemporaryDirectory(prefix="omnistack-merge-") as temporary:
        sides = [Path(temporary) / name for name in ("ours", "base", "theirs")]
        settled = settle(base, ours, theirs)
        for side, text in zip(sides, (settled[1], settled[0], settled[2]), strict=True):
            side.write_bytes(text.encode())
        labels = [part for label in ("before updating", "last update", "after updating") for part in ("-L", label)]
        files = [str(side) for side in sides]
        merged = plumb(folder, "merge-file", "-p", *labels, *files, retcodes=tuple(range(128)))
    (folder / MANIFEST).write_bytes(merged)
    if not conflicts.marked_lines(merged):
        plumb(folder, "add", "--", MANIFEST)


def _outcome(project: Project, scratch: Path, base: str) -> Outcome:
    unmerged = plumb(scratch, "ls-files", "--unmerged", "-z")
    plumb(scratch, "add", "--all")
    tree = line(scratch, "write-tree")
    commit = line(scratch, "commit-tree", tree, "-p", base, "-m", "The result of an update")
    plumb(scratch, "update-ref", RESULT_REF, commit)
    # With --relative, what lies outside the project's folder in a larger repository is left out: Copier changes none.
    status = names(
        scratch / project.prefix, "diff", "--name-status", "--no-renames", "--relative", "-z", base, commit, "--", "."
    )
    changes = tuple(
        Change("M" if kind == "T" else kind, path) for kind, path in zip(status[::2], status[1::2], strict=True)
    )
    folder = scratch / project.prefix
    document = parse_answers((folder / ANSWERS_FILE).read_text(encoding="utf-8"), ANSWERS_FILE)
    if "_commit" not in document:
        raise OmniError(f"the update wrote no version to {ANSWERS_FILE}", "the template is broken; nothing was changed")
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
