"""Running git: without hooks, prompts, or settings that change the result.

There are two kinds of repositories. In the user's own, git reads the user's settings: files have the line ends and
filters that the user chose. In temporary ones (`isolated=True`) it reads none, so that the result is the same on
every machine.
"""

import os
import subprocess
import sys
from pathlib import Path

from omnistack.shell.process import LEAKING_VARIABLES, CommandError, error_line, program

OVERRIDES = (
    f"core.hooksPath={os.devnull}",
    "core.quotePath=false",
    "core.fsmonitor=false",
    "advice.detachedHead=false",
    "commit.gpgSign=false",
    "protocol.file.allow=always",
)
ISOLATED_OVERRIDES = {
    # Git falls back on files in the home folder where these are not set.
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "core.longPaths": "true",
    "apply.whitespace": "nowarn",
    "status.showUntrackedFiles": "all",
    "core.fsync": "none",  # temporary repositories are deleted anyway
}
UNATTENDED = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_TEMPLATE_DIR": "", "LC_ALL": "C"}
# Signs the commits in temporary repositories; the user makes the commits of a project.
IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "omnistack"), ("EMAIL", "omnistack@localhost"))
}
# A Ctrl-C in the terminal stops this program only: git completes what it has begun.
NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) if sys.platform == "win32" else 0


def isolation() -> dict[str, str]:
    """Return the environment in which git reads no settings of the user's or the machine's."""
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
    for number, (key, value) in enumerate(ISOLATED_OVERRIDES.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables | {"GIT_CONFIG_COUNT": str(len(ISOLATED_OVERRIDES)), "GIT_TEMPLATE_DIR": ""}


def git_bytes(
    cwd: Path, *arguments: str | Path, stdin: bytes = b"", ok: tuple[int, ...] = (0,), isolated: bool = False
) -> bytes:
    """Run git in a folder and return exactly what it wrote to stdout.

    Raises:
        CommandError: the exit status is not in `ok`.
    """
    variables = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
    if isolated:
        variables |= {**isolation(), **IDENTITY}
    settings = [part for override in OVERRIDES for part in ("-c", override)]
    done = subprocess.run(
        [program("git"), *settings, *(str(argument) for argument in arguments)],
        cwd=cwd,
        env={**variables, **UNATTENDED},
        input=stdin,
        capture_output=True,
        check=False,
        start_new_session=True,
        creationflags=NEW_GROUP,
    )
    if done.returncode not in ok:
        output = done.stderr.decode(errors="replace")
        reason = error_line(output) or f"exit status {done.returncode}"
        raise CommandError(f"`git {_subcommand(arguments)}` failed: {reason}", output=output.strip())
    return done.stdout


def git(cwd: Path, *arguments: str | Path, isolated: bool = False) -> str:
    """Run git and return what it wrote, stripped."""
    return os.fsdecode(git_bytes(cwd, *arguments, isolated=isolated)).strip()


def git_names(cwd: Path, *arguments: str | Path, isolated: bool = False) -> list[str]:
    """Run git with `-z` and return the list of names."""
    return [os.fsdecode(name) for name in git_bytes(cwd, *arguments, isolated=isolated).split(b"\0") if name]


def git_succeeds(cwd: Path, *arguments: str | Path) -> bool:
    """Return whether git exits with 0."""
    try:
        git_bytes(cwd, *arguments)
    except CommandError:
        return False
    return True


def _subcommand(arguments: tuple[str | Path, ...]) -> str:
    words = iter(str(argument) for argument in arguments)
    for word in words:
        if word == "-c":
            next(words, "")
        elif not word.startswith("-"):
            return word
    return ""
