"""`omnistack why`: which answer a file of a project comes from."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from omnistack.inspect.list_pieces import chosen_by
from omnistack.shell.errors import OmniError
from omnistack.shell.git import git, git_bytes, git_names
from omnistack.shell.options import TemplateOption
from omnistack.shell.process import CommandError
from omnistack.shell.progress import out, working
from omnistack.template.answers import Evaluation, evaluate_project
from omnistack.template.catalog import Catalog, Piece
from omnistack.template.project import ANSWERS_FILE, Project, find_root, read_project
from omnistack.template.source import Template, open_project_template

HELP = """\
Show which answer a file or folder of a project comes from, and whether you changed it.

\b
    omnistack why app/projects/service.py
    omnistack why ../my-api/pyproject.toml
    omnistack why pyproject.toml --project ../my-api
"""

BY_HAND = {
    ".env": "yours: `omnistack new` wrote it from .env.example with new secrets, and no update changes it",
    "uv.lock": "written by uv from pyproject.toml",
}
# Fields that say how a piece is chosen, not what it adds to a file.
STRUCTURE = {"name", "kind", "always", "requires", "conflicts", "presets", "paths", "owns"}
SHOWN = 10


@dataclass(frozen=True)
class Rendered:
    """A project, and the files that its template renders for it."""

    root: Path
    template: Template
    evaluation: Evaluation
    files: Mapping[str, bytes]

    @property
    def catalog(self) -> Catalog:
        """The pieces of the project's version."""
        return self.template.catalog


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("why", help=HELP, short_help="Show which answer a file comes from.")(why)


def why(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file or folder of a project.")],
    *,
    project: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The project that FILE is relative to. Default: here.")
    ] = None,
    template: TemplateOption = None,
) -> None:
    """Show which answer a file comes from."""
    if project is not None:
        file = find_root(project) / file
    recorded = read_project(file)
    # A link in the project is a file of the project, wherever it points to.
    place = Path(os.path.abspath(file.expanduser()))  # noqa: PTH100 - `absolute` keeps `..`, `resolve` follows links
    name = (place.parent.resolve() / place.name).relative_to(recorded.root).as_posix()
    with open_project_template(recorded, template) as found:
        with working("Rendering the project for comparison"):
            rendered = _render(recorded, found)
        for line in explain(name, rendered):
            out().print(line, markup=False)


def _render(recorded: Project, template: Template) -> Rendered:
    from omnistack.template.render import Renderer

    evaluation = evaluate_project(recorded, template)
    files = Renderer(template.root).render(evaluation.answers)
    return Rendered(recorded.root, template, evaluation, {name: file.content for name, file in files.items()})


def explain(name: str, rendered: Rendered) -> Iterator[str]:
    """Explain a path of the project, one fact a line."""
    place = rendered.root / name
    inside = [file for file in rendered.files if name in {".", file} or file.startswith(f"{name}/")]
    if name in BY_HAND:
        yield f"{name}: {BY_HAND[name]}."
    elif not inside:
        yield from _foreign(name, place, rendered)
    elif place.is_dir():
        yield from _folder(name, inside, rendered)
    else:
        yield from _file(name, rendered)


def _foreign(name: str, place: Path, rendered: Rendered) -> Iterator[str]:
    owner = owner_of(name, rendered.catalog.pieces)
    if place.exists() or place.is_symlink():
        yield f"{name}: yours. The template renders no such file, and no update changes it."
        if owner:
            yield f"It is in a folder of {owner.name}: `omnistack remove {owner.name}` would not delete it."
        return
    if owner and owner.name not in rendered.evaluation.chosen:
        raise OmniError(
            f"this project does not have {name}, which is part of {owner.name} ({chosen_by(owner, rendered.catalog)})",
            f"to add it, run `omnistack add {owner.name}`",
        )
    raise OmniError(f"{rendered.root} has no file {name}", "check the path")


def _folder(name: str, inside: Iterable[str], rendered: Rendered) -> Iterator[str]:
    owner = owner_of(name, rendered.catalog.pieces)
    yield f"{name}: {_reason(owner, rendered)}."
    place = rendered.root / name
    guests: dict[str, int] = {}
    for file in inside:
        piece = owner_of(file, rendered.catalog.pieces)
        if piece and piece != owner:
            guests[piece.name] = guests.get(piece.name, 0) + 1
    for guest, count in sorted(guests.items()):
        yield f"  {count} of its files: {_reason(rendered.catalog.piece(guest), rendered)}"
    own = [file for file in _tracked(place) if file not in rendered.files and file not in BY_HAND]
    if own:
        more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
        yield f"  yours: {', '.join(own[:SHOWN])}{more}"


def _tracked(folder: Path) -> list[str]:
    """List the files in a folder that git tracks or does not ignore, relative to the project."""
    arguments = ("ls-files", "--full-name", "--cached", "--others", "--exclude-standard", "-z")
    try:
        prefix = git(find_root(folder), "rev-parse", "--show-prefix")
        files = git_names(folder, *arguments)
    except CommandError:  # not a repository
        return []
    return sorted(file.removeprefix(prefix) for file in files)


def _file(name: str, rendered: Rendered) -> Iterator[str]:
    if name == ANSWERS_FILE:
        yield f"{name}: in every project; filled from: all answers. `omnistack add`, `remove` and `update` change it."
        return
    owner = owner_of(name, rendered.catalog.pieces)
    sources = filled_from(name, rendered)
    filled = f"; filled from: {', '.join(sources)}" if sources else ""
    yield f"{name}: {_reason(owner, rendered)}{filled}."
    place = rendered.root / name
    if name in rendered.catalog.kept:
        yield "Rendered once: it is yours to change, and no update changes it."
    elif not place.is_file():
        yield "You deleted it."
    elif _is_changed(place, rendered.files[name]):
        yield "You changed it since it was rendered."


def _is_changed(file: Path, rendered: bytes) -> bool:
    """Compare a file as git would store it: on the disk, git may have changed its line ends."""
    if file.read_bytes() == rendered:
        return False
    return git_bytes(file.parent, "hash-object", "--", file.name) != git_bytes(
        file.parent, "hash-object", "--stdin", stdin=rendered
    )


def owner_of(name: str, pieces: Iterable[Piece]) -> Piece | None:
    """Return the piece whose paths contain a file; the longest path wins."""
    owners = [
        (len(path), piece) for piece in pieces for path in piece.paths if name == path or name.startswith(f"{path}/")
    ]
    return max(owners, key=lambda owner: owner[0])[1] if owners else None


def _reason(owner: Piece | None, rendered: Rendered) -> str:
    if owner is None:
        return "in every project"
    catalog, chosen = rendered.catalog, rendered.evaluation.chosen
    if owner.always:
        return f"in every project, part of {owner.name}"
    if _answered(owner, rendered):
        return f"comes from {chosen_by(owner, catalog)}"
    roots = [name for name in catalog.required_by(owner.name) if name in chosen]
    answers = [chosen_by(catalog.piece(name), catalog) for name in roots if _answered(catalog.piece(name), rendered)]
    verb = "require" if len(answers) > 1 else "requires"
    return f"part of {owner.name}, which {' and '.join(answers) or 'another piece'} {verb}"


def _answered(piece: Piece, rendered: Rendered) -> bool:
    answer = rendered.evaluation.answers.get(piece.port or piece.name)
    return answer == piece.name if piece.port else answer is True


def filled_from(name: str, rendered: Rendered) -> list[str]:
    """List the answers and pieces that a rendered file is filled from; empty for a plain copy."""
    text = _source(rendered.template.root, f"template/{name}.jinja")
    if not text:
        return []
    catalog = rendered.catalog
    words = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"{[{%].*?[%}]}", text, flags=re.DOTALL))))
    sources = [question for question in catalog.questions if question in words and question not in catalog]
    if not words & {"catalog", "chosen"}:
        return sources
    used = words & (set(Piece.model_fields) - STRUCTURE)
    fields = [field for field in Piece.model_fields if field in used and field not in {"label", "help"}]
    pieces = [catalog.piece(piece) for piece in rendered.evaluation.chosen]
    for field in fields or ["name"]:
        having = [piece.name for piece in pieces if getattr(piece, field)]
        if having:
            sources.append(f"{'the pieces' if field == 'name' else f'the {field} of'} {', '.join(having)}")
    return sources


def _source(root: Path, name: str) -> str:
    """Read a template file with everything that it imports."""
    file = root / name
    if not file.is_file():
        return ""
    text = file.read_text(encoding="utf-8")
    imported = re.findall(r"{%-?\s*(?:from|import|include)\s+['\"]([^'\"]+)['\"]", text)
    return "\n".join([text, *(_source(root, other) for other in imported if other != name)])
