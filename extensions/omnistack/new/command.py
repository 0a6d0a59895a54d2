"""The command `omnistack new`."""

from pathlib import Path
from typing import Annotated

import typer

from omnistack.shell.errors import OmniError
from omnistack.shell.options import TemplateOption

HELP = """\
Make a project in DEST: rendered, committed, installed.

Asked step by step, or with a preset, or without a question:

\b
    omnistack new ../my-api
    omnistack new ../my-api --preset minimal
    omnistack new ../my-api --defaults

Answers on the command line or from a file; --dry-run shows what they make:

\b
    omnistack new ../my-api -d auth=clerk -d projects=true --defaults
    omnistack new ../my-api --answers answers.yml --dry-run

Running at once, with a private PostgreSQL, a token and a first request:

\b
    omnistack new ../my-api --defaults --start
"""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("new", help=HELP)(new)


def new(
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="The project's folder; it must not exist, or be empty.")],
    *,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="Start from a preset.")] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", "-d", metavar="KEY=VALUE", help="Answer one question; repeatable.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answers in YAML or JSON, such as a .copier-answers.yml.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing: what is not answered is default.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be rendered, and stop.")] = False,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Do not lock and install the packages.")] = False,
    start: Annotated[bool, typer.Option("--start", help="Also migrate and serve; Ctrl-C ends it.")] = False,
    vcs_ref: Annotated[
        str | None, typer.Option(metavar="REF", help="The template's tag, branch or commit. Default: its HEAD.")
    ] = None,
    template: TemplateOption = None,
) -> None:
    """Make a project."""
    if start and no_sync:
        raise OmniError("--start needs the packages", "leave --no-sync out")
    from omnistack.new.create import Wish, collect, make

    given, ask = collect(preset, answers, data or [], defaults=defaults)
    wish = Wish(destination=dest, given=given, ask=ask, dry_run=dry_run, sync=not no_sync, start=start)
    make(template, vcs_ref, wish)
