"""`omnistack list`: the pieces and what each adds."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from omnistack.shell.options import TemplateOption
from omnistack.shell.progress import out
from omnistack.template.catalog import Catalog, Piece
from omnistack.template.source import open_template

HELP = """\
List the pieces: how each is chosen, and what it adds to a project.

\b
    omnistack list
    omnistack list --project ../my-api     at the project's version, with a mark at the pieces that it has
    omnistack list --json
"""

PIECE_WIDTH = 32


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("list", help=HELP, short_help="List the pieces.")(list_pieces)


def list_pieces(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    project: Annotated[Path | None, typer.Option(metavar="DIR", help="A project: mark the pieces that it has.")] = None,
    template: TemplateOption = None,
) -> None:
    """List the pieces."""
    with ExitStack() as stack:
        if project is None:
            catalog, chosen = stack.enter_context(open_template(template)).catalog, None
        else:
            from omnistack.template.answers import evaluate_project
            from omnistack.template.project import read_project
            from omnistack.template.source import open_project_template

            recorded = read_project(project)
            found = stack.enter_context(open_project_template(recorded, template))
            catalog, chosen = found.catalog, evaluate_project(recorded, found).chosen
    if as_json:
        typer.echo(json.dumps([describe(piece, catalog, chosen) for piece in catalog.pieces], indent=2))
    else:
        _print(catalog, chosen)


def chosen_by(piece: Piece, catalog: Catalog) -> str:
    """Return the answer that chooses a piece (`auth=clerk`, `projects=true`), or what else adds it."""
    if piece.always:
        return "in every project"
    if piece.port:
        return f"{piece.port}={piece.name}"
    if piece.question in catalog.questions:
        return f"{piece.name}=true"
    others = ", ".join(catalog.required_by(piece.name)) or "no piece yet"
    return f"added with {others}"


def describe(piece: Piece, catalog: Catalog, chosen: Iterable[str] | None) -> dict[str, object]:
    """Return everything about a piece; with a project, also whether the project has it."""
    marked = {} if chosen is None else {"chosen": piece.name in set(chosen)}
    return {
        **piece.model_dump(),
        **marked,
        "chosen_by": chosen_by(piece, catalog),
        "brings_along": list(catalog.requires(piece.name)),
        "required_by": list(catalog.required_by(piece.name)),
    }


def _print(catalog: Catalog, chosen: Iterable[str] | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_lines=True, pad_edge=False)
    # A piece that many others add would take the whole width without a limit.
    table.add_column("piece", overflow="fold", max_width=PIECE_WIDTH)
    table.add_column("adds", overflow="fold", ratio=1)
    had = set(chosen or ())
    for piece in catalog.pieces:
        mark = " ✓" if piece.name in had else ""
        name = Text.assemble((f"{piece.name}{mark}", "bold"), f"\n{piece.kind}\n{chosen_by(piece, catalog)}")
        table.add_row(name, Text(_added(piece)))
    out().print(table)
    counted = "" if chosen is None else f", of which the project has {len(had)}"
    out().print(f"{len(catalog.pieces)} pieces{counted}. To add one to a project, run `omnistack add PIECE` in it.")


def _added(piece: Piece) -> str:
    parts = {
        "pieces": piece.requires,
        "packages": piece.dependencies,
        "settings": [setting.name for setting in piece.settings],
        "services": piece.services,
        "processes": [process.name for process in piece.processes],
        "paths": piece.paths,
    }
    lines = [f"{name}: {', '.join(values)}" for name, values in parts.items() if values]
    return "\n".join([f"{piece.label}. {piece.help}", *lines])
