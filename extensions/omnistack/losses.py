"""What of the user's own is in files that an update takes away."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omnistack.catalog import Piece
from omnistack.copying import render
from omnistack.plumbing import names, plumb
from omnistack.project import Project
from omnistack.rehearsal import Outcome

PYTHON = "*.py"


@dataclass(frozen=True)
class Losses:
    """Files below the project's folder."""

    edited: tuple[str, ...] = ()
    """Rendered, changed by the user since, and now removed."""
    own: tuple[str, ...] = ()
    """The user's, inside the folders of a removed piece; they stay where they are."""
    importing: tuple[str, ...] = ()
    """`file:line` of code that stays and imports what is removed."""


def find_losses(project: Project, source: str, outcome: Outcome, removed: Sequence[Piece]) -> Losses:
    """Compare what is removed with a fresh render of the version that the project is from."""
    gone = outcome.paths("D")
    if not gone and not removed:
        return Losses()
    with tempfile.TemporaryDirectory(prefix="omnistack-baseline-", ignore_cleanup_errors=True) as folder:
        baseline = Path(folder) / "project"
        render(source, project.version, project.answers, baseline)
        edited = [path for path in gone if _content(project.root / path) != _content(baseline / path)]
        paths = [path for piece in removed for path in piece.paths]
        inside = names(project.root, "ls-files", "-z", "--", *paths) if paths else []
        own = [path for path in inside if path not in gone and not (baseline / path).exists()]
    importing = _imports(project, outcome, [piece for piece in removed if piece.module])
    return Losses(tuple(edited), tuple(own), tuple(importing))


def _content(file: Path) -> bytes | None:
    if file.is_symlink():
        return str(file.readlink()).encode()
    return file.read_bytes() if file.is_file() else None


def _imports(project: Project, outcome: Outcome, removed: Iterable[Piece]) -> list[str]:
    found: list[str] = []
    for piece in removed:
        pattern = rf"^[[:space:]]*(from|import)[[:space:]]+app\.{piece.module}([. ]|$)"
        output = plumb(
            outcome.scratch / project.prefix, "grep", "-n", "-I", "-E", "-e", pattern, outcome.commit, "--", PYTHON,
            retcodes=(0, 1),
        )  # fmt: skip
        for hit in output.decode(errors="replace").splitlines():
            _, path, number, _ = hit.split(":", 3)
            found.append(f"{path}:{number}")
    return sorted(found)
