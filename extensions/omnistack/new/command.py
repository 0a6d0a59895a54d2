"""The command `omnistack new`."""

from pathlib import Path
from typing import Annotated

import typer

from omnistack.shell.errors import OmniError
from omnistack.shell.options import TemplateOption

HELP = """\
Create a project in DEST: render it, commit it, install its packages.

Answer the questions step by step, start from a preset, or take every default:

\b
    omnistack new ../my-api
    omnistack new ../my-api --preset minimal
    omnistack new ../my-api --defaults

Give answers on the command line or in a file. --dry-run shows the project without creating it:

\b
    omnistack new ../my-api -d auth=clerk -d projects=true --defaults
    omnistack new ../my-api --answers answers.yml --dry-run

Start the project at once, with a private PostgreSQL, an access token and a first request:

\b
    omnistack new ../my-api --defaults --start
"""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("new", help=HELP, short_help="Create a project.")(new)


def new(
    dest: Annotated[
        Path, typer.Argument(metavar="DEST", help="The project's folder. It must be empty, or not exist yet.")
    ],
    *,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="Fill in the answers of a preset.")] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", "-d", metavar="KEY=VALUE", help="Answer one question. Repeatable.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A YAML or JSON file with answers, such as .copier-answers.yml.")
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Ask nothing; use the default for every other answer.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be created, and create nothing.")] = False,
    no_git: Annotated[
        bool, typer.Option("--no-git", help="Don't create a repository: the folder is part of an existing one.")
    ] = False,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Don't lock and install the packages.")] = False,
    start: Annotated[bool, typer.Option("--start", help="Then migrate and serve; Ctrl-C stops the server.")] = False,
    vcs_ref: Annotated[
        str | None, typer.Option(metavar="REF", help="The template's tag, branch or commit. Default: its HEAD.")
    ] = None,
    template: TemplateOption = None,
) -> None:
    """Create a project."""
    if start and no_sync:
        raise OmniError("--start needs the packages", "leave out --no-sync")
    from omnistack.new.create import Request, collect_answers, create

    given, ask = collect_answers(preset, answers, data or [], defaults=defaults)
    request = Request(
        destination=dest, given=given, ask=ask, dry_run=dry_run, git=not no_git, sync=not no_sync, start=start
    )
    create(template, vcs_ref, request)
