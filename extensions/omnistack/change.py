"""The commands that change a rendered project."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
