"""`python -m app.dev.pipeline.contract --base REF`: fail if the API breaks clients of an earlier commit."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from app.dev.pipeline.openapi_changes import breaking_changes
from app.dev.pipeline.schema_changes import Json
from app.dev.pipeline.worktree import UV_RUN, checked_out, git, run_in
from app.kit.user_error import UserError

OPENAPI: Final = ("python", "-m", "app.cli.main", "openapi")
ACCEPTED: Final = re.compile(r"^BREAKING[ -]CHANGE: \S", re.MULTILINE)
"""The footer of a commit message that announces a breaking change (Conventional Commits)."""


@click.command()
@click.option("--base", required=True, help="The commit that clients were written against, such as origin/main.")
def main(base: str) -> None:
    """Compare the OpenAPI document with that of another commit.

    Exits with 1 if clients of the other commit would break, unless a commit since then has a footer
    `BREAKING CHANGE: <why>`.
    """
    try:
        failed = check_contract(base)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(1 if failed else 0)


def check_contract(base: str, runner: Sequence[str] = UV_RUN) -> bool:
    """Print the breaking changes since a commit.

    Args:
        base: the commit.
        runner: the beginning of a command that runs Python in a folder's own environment.

    Returns:
        Whether there are some that no commit announces.

    Raises:
        UserError: one of the documents could not be made.
    """
    with checked_out(base) as folder:
        old = _document(folder, runner)
    new = _document(Path.cwd(), runner)
    changes = breaking_changes(old, new)
    if not changes:
        click.echo(f"No breaking changes of the API since {base}.")
        return False
    click.echo(f"Breaking changes of the API since {base}:")
    for change in changes:
        click.echo(f"  {change}")
    if is_announced(base):
        click.echo("Accepted: a commit announces them with BREAKING CHANGE.")
        return False
    click.echo("Keep the old form beside the new one, or announce the change in a commit: `BREAKING CHANGE: <why>`.")
    return True


def is_announced(base: str) -> bool:
    """Return whether a commit since `base` announces a breaking change."""
    return ACCEPTED.search(git("log", "--format=%B", f"{base}..HEAD")) is not None


def _document(folder: Path, runner: Sequence[str]) -> Json:
    document: Json = json.loads(run_in(folder, [*runner, *OPENAPI]))
    return document


if __name__ == "__main__":
    main()
