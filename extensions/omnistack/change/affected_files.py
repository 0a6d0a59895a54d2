"""The user's own files that a change deletes, or whose imports it breaks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnistack.change.trial import Outcome
from omnistack.shell.git import git_bytes, git_names
from omnistack.template.catalog import Piece
from omnistack.template.project import CommittedProject
from omnistack.template.source import Template

PYTHON_FILES = "*.py"


@dataclass(frozen=True)
class AffectedFiles:
    """Files of the user's, relative to the project's folder."""

    edited: tuple[str, ...] = ()
    """Rendered files that the user edited and the change deletes."""
    own: tuple[str, ...] = ()
    """The user's files in the folders of a removed piece; they are kept."""
    importing: tuple[str, ...] = ()
    """`file:line` of code that is kept and imports a removed module."""


def find_affected_files(
    project: CommittedProject, template: Template, outcome: Outcome, removed: Sequence[Piece]
) -> AffectedFiles:
    """Compare the deleted files with a fresh render of the project's version."""
    from omnistack.template.render import Renderer

    deleted = set(outcome.paths("D"))
    if not deleted and not removed:
        return AffectedFiles()
    rendered = Renderer(template.root).render(project.answers)
    edited = [
        path for path in sorted(deleted) if path not in rendered or _content(project, path) != rendered[path].content
    ]
    paths = [path for piece in removed for path in piece.paths]
    inside = git_names(project.root, "ls-files", "-z", "--", *paths) if paths else []
    own = [path for path in inside if path not in deleted and path not in rendered]
    importing = _imports(project, outcome, [piece for piece in removed if piece.module])
    return AffectedFiles(tuple(edited), tuple(own), tuple(importing))


def _content(project: CommittedProject, path: str) -> bytes:
    """Read a file as git stores it; the checkout may have other line ends."""
    return git_bytes(project.root, "cat-file", "blob", f"HEAD:./{path}").replace(b"\r\n", b"\n")


def _imports(project: CommittedProject, outcome: Outcome, removed: Iterable[Piece]) -> list[str]:
    found: list[str] = []
    folder = outcome.scratch / project.prefix
    for piece in removed:
        pattern = rf"^[[:space:]]*(from|import)[[:space:]]+app\.{piece.module}([. ]|$)"
        arguments = ("grep", "-n", "-I", "-E", "-e", pattern, outcome.commit, "--", PYTHON_FILES)
        output = git_bytes(folder, *arguments, ok=(0, 1), isolated=True)
        for hit in output.decode(errors="replace").splitlines():
            _, path, number, _ = hit.split(":", 3)
            found.append(f"{path}:{number}")
    return sorted(found)
