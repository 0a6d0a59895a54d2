"""Running git, uv and the like: output captured, one-line errors."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnistack.shell.errors import OmniError

# A hook or an outer `uv run` exports these; they would send a command to another repository or environment than the
# one that it is started in.
LEAKING_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "VIRTUAL_ENV",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_WORKING_DIRECTORY",
    # Set by pyenv for what its shims start: they would hide every other Python.
    "PYENV_VERSION",
    "PYENV_DIR",
)
LONGEST = 300
CROSS = "\N{MULTIPLICATION SIGN}"
INSTALL_HINTS = {
    "git": "install git (https://git-scm.com/downloads) and run the command again",
    "uv": "install it with `pip install uv` and run the command again",
}


class CommandError(OmniError):
    """A program ran and failed; `output` is all that it said."""

    def __init__(self, message: str, hint: str, *, returncode: int, output: str) -> None:
        super().__init__(message, hint)
        self.returncode = returncode
        self.output = output


def forget_outer_environment() -> None:
    """Drop the variables by which an outer process would redirect git and uv."""
    for name in LEAKING_VARIABLES:
        os.environ.pop(name, None)


def program(name: str) -> str:
    """Find a program: the uv that runs this one, else on PATH, else beside the running Python."""
    # A version manager's `uv` on PATH may refuse to run in a folder that names another Python.
    own = os.environ.get(name.upper(), "") if name == "uv" else ""
    found = shutil.which(own) or shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise OmniError(f"the program {name!r} is not installed", INSTALL_HINTS.get(name, f"install {name}"))
    return found


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    hint: str = "",
) -> str:
    """Run a command to its end and return what it wrote to stdout, stripped.

    `env` is added to the environment. A missing program, a missing folder and a failure are one-line errors; `hint`
    says what to do next.
    """
    arguments = [str(part) for part in command]
    arguments[0] = program(arguments[0])
    variables = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
    try:
        done = subprocess.run(
            arguments,
            cwd=cwd,
            env={**variables, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise OmniError(f"{command[0]} could not be started in {cwd or '.'}: {error.strerror}", hint) from error
    if done.returncode:
        output = f"{done.stdout}\n{done.stderr}".strip()
        said = gist(done.stderr) or gist(done.stdout) or f"exit status {done.returncode}"
        shown = " ".join(str(part) for part in command[:3])
        raise CommandError(f"`{shown}` failed: {said}", hint, returncode=done.returncode, output=output)
    return done.stdout.strip()


def git(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, hint: str = "") -> str:
    """Run git in a folder and return its output."""
    return run(["git", *arguments], cwd=cwd, env=env, hint=hint)


def gist(text: str) -> str:
    """Give the line that says most: an `error:` or `fatal:`, uv's cross and its reasons, a traceback's end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith(CROSS):
            return " ".join(part.strip(f"{CROSS}│╰─▶ ") for part in lines[number:])[:LONGEST]
    telling = [line for line in lines if line.lower().startswith(("error", "fatal"))]
    if not telling and lines and lines[0].startswith("Traceback"):
        return lines[-1]
    return (telling or lines or [""])[0]
