"""`omnistack list`: the pieces and what each brings."""

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
List the pieces: how each is chosen, and what it brings.

\b
    omnistack list
    omnistack list --project ../my-api     as of its own version; marks what it has
    omnistack list --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("list", help=HELP)(list_pieces)


def list_pieces(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known, for programs.")] = False,
    project: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A rendered project: mark the pieces that it has.")
    ] = None,
    template: TemplateOption = None,
) -> None:
    """List the pieces."""
    with ExitStack() as stack:
        if project is None:
            catalog, chosen = stack.enter_context(open_template(template)).catalog, None
        else:
            from omnistack.template.recorded import find_root, read_project

            recorded = read_project(find_root(project))
            found = stack.enter_context(recorded.template(template))
            catalog, chosen = found.catalog, recorded.evaluate(found).chosen
    if as_json:
        typer.echo(json.dumps([describe(piece, catalog, chosen) for piece in catalog.pieces], indent=2))
    else:
        _print(catalog, chosen)


def chosen_by(piece: Piece, catalog: Catalog) -> str:
    """Say which answer brings a piece: `auth=clerk`, `projects=true`, or what else does."""
    if piece.always:
        return "always there"
    if piece.port:
        return f"{piece.port}={piece.name}"
    if piece.question in catalog.questions:
        return f"{piece.name}=true"
    others = ", ".join(other for other in catalog.required_by(piece.name)) or "nothing yet"
    return f"comes with {others}"


def describe(piece: Piece, catalog: Catalog, chosen: Iterable[str] | None) -> dict[str, object]:
    """Give all that is known of a piece; with a project, also whether it has it."""
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
    table.add_column("piece", no_wrap=True)
    table.add_column("brings", overflow="fold")
    had = set(chosen or ())
    for piece in catalog.pieces:
        mark = " ✓" if piece.name in had else ""
        name = Text.assemble((f"{piece.name}{mark}", "bold"), f"\n{piece.kind}\n{chosen_by(piece, catalog)}")
        table.add_row(name, Text(_brings(piece)))
    out().print(table)
    counted = "" if chosen is None else f", {len(had)} of them chosen"
    out().print(f"{len(catalog.pieces)} pieces{counted}. A piece is added to a project with `omnistack add PIECE`.")


def _brings(piece: Piece) -> str:
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
