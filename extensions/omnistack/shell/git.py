"""Git as a tool of this program: exact bytes in and out, no hooks, no settings of the user's that change results."""

import os
import subprocess
from pathlib import Path

from omnistack.shell.process import LEAKING_VARIABLES, CommandError, gist, program

OVERRIDES = (
    f"core.hooksPath={os.devnull}",
    "core.quotePath=false",
    "core.fsmonitor=false",
    "advice.detachedHead=false",
    "commit.gpgSign=false",
    "protocol.file.allow=always",
)
# Objects written here are internal to a command and are thrown away with it, or are named by the user's own commit.
IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "omnistack"), ("EMAIL", "omnistack@localhost"))
}
UNATTENDED = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_TEMPLATE_DIR": "", "LC_ALL": "C"}


def plumb(cwd: Path, *arguments: str, stdin: bytes = b"", retcodes: tuple[int, ...] = (0,)) -> bytes:
    """Run git in a folder and return exactly what it wrote."""
    variables = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
    settings = [part for override in OVERRIDES for part in ("-c", override)]
    done = subprocess.run(
        [program("git"), *settings, *arguments],
        cwd=cwd,
        env={**variables, **IDENTITY, **UNATTENDED},
        input=stdin,
        capture_output=True,
        check=False,
        # A Ctrl-C at the terminal reaches this program alone, which lets git finish where half a step would do harm.
        start_new_session=True,
    )
    if done.returncode not in retcodes:
        said = done.stderr.decode(errors="replace")
        raise CommandError(
            f"`git {arguments[0]}` failed: {gist(said) or f'exit status {done.returncode}'}",
            "",
            returncode=done.returncode,
            output=said.strip(),
        )
    return done.stdout


def line(cwd: Path, *arguments: str) -> str:
    """Run git for its one line of output."""
    return os.fsdecode(plumb(cwd, *arguments)).strip()


def names(cwd: Path, *arguments: str) -> list[str]:
    """Run git with `-z` for a list of names."""
    return [os.fsdecode(name) for name in plumb(cwd, *arguments).split(b"\0") if name]


def succeeds(cwd: Path, *arguments: str) -> bool:
    """Tell whether git exits with 0."""
    try:
        plumb(cwd, *arguments)
    except CommandError:
        return False
    return True
