"""The command `omnistack`."""

import os
import signal
import sys
import traceback
from importlib.metadata import version as installed_version
from io import TextIOWrapper
from types import FrameType
from typing import Annotated

import typer

from omnistack.change import command as change
from omnistack.inspect import list_pieces, matrix, why
from omnistack.new import command as new
from omnistack.prove import command as prove
from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError, remove_leaking_variables
from omnistack.suites import command as suites

DEBUG_VARIABLE = "OMNISTACK_DEBUG"
INTERRUPTED = 130

HELP = """\
Create FastAPI backends from the pieces that you choose, and keep them up to date.

Create a project: step by step, from a preset, or with every default and running at once:

\b
    omnistack new ../my-api
    omnistack new ../my-api --preset saas --defaults
    omnistack new ../my-api --defaults --start

Change a project, in its folder:

\b
    omnistack list --project .      show all pieces, and which ones the project has
    omnistack add projects          add a piece with its code, settings and migrations
    omnistack remove projects       remove a piece
    omnistack update                update to the newest version of the template
    omnistack why app/main.py       show which answer a file comes from

Show the options of a command: omnistack new --help
"""

app = typer.Typer(
    name="omnistack",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (new, change, list_pieces, why, matrix, prove, suites):
    commands.register(app)


def _show_version(value: bool) -> None:  # noqa: FBT001 - Typer calls it with the flag's value
    if value:
        typer.echo(f"omnistack {installed_version('omnistack')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show a traceback when an error occurs.")
    ] = False,
) -> None:
    """Define the options of every command."""
    del version, debug  # `run` reads --debug itself: it must work where parsing fails


def main() -> None:
    """Run the command line; an error is one line on stderr."""
    remove_leaking_variables()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # for terminals that cannot show every character
    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):  # Windows has no SIGHUP
            signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))


def _end(number: int, _frame: FrameType | None) -> None:
    """Exit with clean-up: the default action of a signal runs none."""
    sys.exit(128 + number)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        return _invoke(arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the user gets one line
        message, status = _explain(error)
        if "--debug" in arguments or os.environ.get(DEBUG_VARIABLE, "0") not in {"", "0", "false"}:
            _show_all(error)
        typer.echo(f"error: {message}", err=True)
        return status


def _invoke(arguments: list[str]) -> int:
    result = app(args=arguments, prog_name="omnistack", standalone_mode=False)
    if result == INTERRUPTED:  # Typer's exit status for Ctrl-C
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _explain(error: BaseException) -> tuple[str, int]:
    """Return the error in one line, and the exit status."""
    match error:
        case OmniError():
            return str(error), 1
        case typer.TyperException():
            return f"{' '.join(error.format_message().split()).rstrip('.')}. See `omnistack --help`.", error.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return "interrupted. Nothing was left half done.", INTERRUPTED
        case _:
            what = " ".join(str(error).split()) or type(error).__name__
            return (
                f"{what} ({type(error).__name__}). This is a bug: report the output of `omnistack --debug …`.",
                1,
            )


def _show_all(error: BaseException) -> None:
    traceback.print_exception(error)
    cause = error if isinstance(error, CommandError) else error.__cause__
    if isinstance(cause, CommandError):
        typer.echo(cause.output, err=True)
