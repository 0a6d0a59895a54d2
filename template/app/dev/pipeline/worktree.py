"""The files of another commit, in a folder beside the working copy."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.kit.user_error import UserError

UV_RUN: Final = ("uv", "run", "--locked")
"""The beginning of a command in a folder with an environment of its own."""
TIMEOUT: Final = 600
"""Seconds for one command."""


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary folder until the end of the block.

    Yields:
        The project's folder in it: the current one, which may be a folder of a larger repository.

    Raises:
        UserError: git does not know the commit, or the project did not exist in it.
    """
    prefix = git("rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory(prefix="base-") as temporary:
        folder = Path(temporary) / "tree"
        git("worktree", "add", "--detach", str(folder), commit)
        try:
            if not (folder / prefix).is_dir():
                raise UserError(f"The commit {commit} has no folder {prefix}")
            yield folder / prefix
        finally:
            git("worktree", "remove", "--force", str(folder))


def git(*arguments: str) -> str:
    """Run git in the working copy and return its output.

    Raises:
        UserError: git failed; the message is git's.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT)  # noqa: S603, S607 - arguments of our own
    if done.returncode:
        raise UserError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def run_in(folder: Path, command: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder and return its output.

    Raises:
        UserError: it failed; the message contains its output.
    """
    environment = os.environ | dict(variables or {})
    # The environment of this working copy is not that of the other one.
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(  # noqa: S603 - commands of our own
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    if done.returncode:
        raise UserError(f"`{' '.join(command)}` failed in {folder}:\n{done.stdout}{done.stderr}")
    return done.stdout
