"""A summary of the project that a set of answers makes, shown before it is created."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnistack.shell.progress import out
from omnistack.template.answers import Evaluation
from omnistack.template.catalog import Answer, Catalog, plain
from omnistack.template.copy import rendered_files
from omnistack.template.source import Template


@dataclass(frozen=True)
class Preview:
    """The summary of a project."""

    version: str
    answers: Mapping[str, Answer]
    pieces: tuple[str, ...]
    """The pieces that answers choose."""
    internal: int
    """The number of pieces that every project has, or that the chosen ones require."""
    dependencies: tuple[str, ...]
    services: tuple[str, ...]
    files: int
    size: int
    """Of all files, in bytes."""


def preview(template: Template, evaluation: Evaluation, rendered: Path) -> Preview:
    """Summarise a project from its answers and its rendered files."""
    pieces = tuple(template.catalog.piece(name) for name in evaluation.chosen)
    selectable = tuple(piece.name for piece in pieces if piece.question in template.catalog.questions)
    files = rendered_files(rendered)
    return Preview(
        version=describe_version(template),
        answers=evaluation.answers,
        pieces=selectable,
        internal=len(pieces) - len(selectable),
        dependencies=_unique(dependency for piece in pieces for dependency in piece.dependencies),
        services=_unique(service for piece in pieces for service in piece.services),
        files=len(files),
        size=sum((rendered / file).lstat().st_size for file in files),
    )


def show(shown: Preview, destination: Path, catalog: Catalog) -> None:
    """Print a summary."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        "template": shown.version,
        "answers": _answers(shown.answers, catalog),
        "pieces": f"{', '.join(shown.pieces) or 'none'}; and {shown.internal} internal pieces",
        "files": f"{shown.files} ({max(1, round(shown.size / 1024))} kB)",
        "packages": f"{len(shown.dependencies)} direct: {', '.join(shown.dependencies)}",
        "services": ", ".join(shown.services) or "none",
    }
    for name, value in rows.items():
        table.add_row(name, Text(value))
    out().print(f"The project in {destination}", markup=False, style="bold")
    out().print(table)


def describe_version(template: Template) -> str:
    """Return a version with its commit, or the commit alone where there is no tag."""
    if template.commit.startswith(template.version):
        return template.version
    return f"{template.version} ({template.commit[:7]})"


def _answers(answers: Mapping[str, Answer], catalog: Catalog) -> str:
    """List the answers that choose something; texts are left out."""
    return ", ".join(f"{name}={plain(value)}" for name, value in answers.items() if catalog.questions[name].values)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
