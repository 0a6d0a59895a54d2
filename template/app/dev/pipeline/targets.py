"""The commands of `release.toml`, which release an image to each platform."""

import shlex
import string
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from app.kit.user_error import UserError

FILE: Final = "release.toml"
TIMEOUT: Final = 1800
"""Seconds for one command."""


class Commands(BaseModel):
    """The commands for one platform, or after each release.

    Commands run without a shell: words are split as in a shell, then `$NAME` is replaced by a variable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setup: tuple[str, ...] = ()
    deploy: tuple[str, ...] = ()
    rollback: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def check_variables(self, environment: Mapping[str, str]) -> None:
        """Check that every variable has a value.

        Raises:
            UserError: names those that are missing.
        """
        missing = [name for name in self.variables if not environment.get(name)]
        if missing:
            raise UserError(f"Not set: {', '.join(missing)}. docs/ci.md says where to set secrets and variables.")


def read_targets(folder: Path) -> dict[str, Commands]:
    """Read the platforms' commands.

    Raises:
        UserError: the file is missing or malformed.
    """
    try:
        content = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        return {name: Commands.model_validate(value) for name, value in content.items()}
    except (OSError, ValueError) as error:
        raise UserError(f"{FILE} cannot be read: {error}") from error


def run_commands(commands: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run commands one after the other and stop at the first that fails.

    Raises:
        UserError: a command failed, or contains a variable without a value.
    """
    for command in commands:
        try:
            words = [string.Template(word).substitute(environment) for word in shlex.split(command)]
        except (KeyError, ValueError) as error:
            raise UserError(f"`{command}` in {FILE} cannot be run: {error} has no value.") from error
        try:
            done = subprocess.run(words, env=dict(environment), check=False, timeout=TIMEOUT)  # noqa: S603 - the file is the project's own
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"`{command}` failed: {type(error).__name__}.") from error
        if done.returncode:
            raise UserError(f"`{command}` failed with exit code {done.returncode}.")
