"""What of the user's own is in files that an update takes away."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnistack.change.trial import Outcome
from omnistack.shell.git import names, plumb
from omnistack.template.catalog import Piece
from omnistack.template.project import Project
from omnistack.template.source import Template

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


def find_losses(project: Project, template: Template, outcome: Outcome, removed: Sequence[Piece]) -> Losses:
    """Compare what is removed with a fresh render of the version that the project is from."""
    from omnistack.template.render import Renderer

    gone = set(outcome.paths("D"))
    if not gone and not removed:
        return Losses()
    baseline = Renderer(template.root).render(project.answers)
    edited = [
        path for path in sorted(gone) if path not in baseline or _content(project, path) != baseline[path].content
    ]
    paths = [path for piece in removed for path in piece.paths]
    inside = names(project.root, "ls-files", "-z", "--", *paths) if paths else []
    own = [path for path in inside if path not in gone and path not in baseline]
    importing = _imports(project, outcome, [piece for piece in removed if piece.module])
    return Losses(tuple(edited), tuple(own), tuple(importing))


def _content(project: Project, path: str) -> bytes:
    # As git has it: a checkout may have changed line ends.
    return plumb(project.root, "cat-file", "blob", f"HEAD:./{path}")


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
