"""Running uv and other programs: output captured, one-line errors."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnistack.shell.errors import OmniError

# Set by a git hook, an outer `uv run` or pyenv. They would direct a program to another repository, environment or
# interpreter than those of the folder that it runs in.
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
    "PYENV_VERSION",
    "PYENV_DIR",
)
MAX_MESSAGE_LENGTH = 300
CROSS = "\N{MULTIPLICATION SIGN}"
INSTALL_HINTS = {
    "git": "install git (https://git-scm.com/downloads) and run the command again",
    "uv": "install uv (https://docs.astral.sh/uv/getting-started/installation) and run the command again",
}


class CommandError(OmniError):
    """A program failed. `output` is everything that it wrote."""

    def __init__(self, message: str, hint: str = "", *, output: str) -> None:
        super().__init__(message, hint)
        self.output = output


def remove_leaking_variables() -> None:
    """Remove the variables by which an outer process would redirect git and uv."""
    for name in LEAKING_VARIABLES:
        os.environ.pop(name, None)


def program(name: str) -> str:
    """Return the path of a program: the uv that runs this one, else the one on PATH, else beside this Python.

    Raises:
        OmniError: it is not installed.
    """
    # The `uv` of a version manager may refuse to run in a folder that names another Python.
    own = os.environ.get(name.upper(), "") if name == "uv" else ""
    found = shutil.which(own) or shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise OmniError(f"{name} is not installed", INSTALL_HINTS.get(name, f"install {name}"))
    return found


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    hint: str = "",
) -> str:
    """Run a command to its end and return what it wrote to stdout, stripped.

    `env` is added to the environment; `hint` is the next step that an error names.

    Raises:
        CommandError: the command failed.
        OmniError: the program is not installed, or the folder does not exist.
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
        reason = error_line(done.stderr) or error_line(done.stdout) or f"exit status {done.returncode}"
        shown = " ".join(str(part) for part in command[:3])
        raise CommandError(f"`{shown}` failed: {reason}", hint, output=output)
    return done.stdout.strip()


def quoted(path: Path) -> str:
    """Write a path as the user's shell reads it back, for commands to copy."""
    return subprocess.list2cmdline([str(path)]) if sys.platform == "win32" else shlex.quote(str(path))


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a process that was started in a session of its own, and its children."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        os.killpg(process.pid, signal.SIGKILL)


def error_line(text: str) -> str:
    """Return the line that explains a failure: `error:` or `fatal:`, uv's cross and reasons, a traceback's end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith(CROSS):
            return " ".join(part.strip(f"{CROSS}│╰─▶ ") for part in lines[number:])[:MAX_MESSAGE_LENGTH]
    explaining = [line for line in lines if line.lower().startswith(("error", "fatal"))]
    if not explaining and lines and lines[0].startswith("Traceback"):
        return lines[-1]
    return (explaining or lines or [""])[0]
