"""A copy of this project, so that nothing here is touched while commands run in it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from app.core.lifecycle import settings_classes
from app.dev.lock import poll
from app.modules import MODULES

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project of its own in a folder."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of `app` in this folder."""
        return [sys.executable, "-m", "app.cli.main", *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `app` and wait for its end."""
        environment = self.environment() | variables
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    @contextmanager
    def dev(self, *arguments: str) -> Iterator["Dev"]:
        """Run `app dev` for the duration of the block."""
        process = subprocess.Popen(
            self.command("dev", *arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Dev(process=process, folder=self.folder)
        finally:
            process.kill()
            process.communicate()

    def environment(self) -> dict[str, str]:
        """This process's, without this application's settings, and with what makes the second start quick."""
        names = {name for cls in settings_classes(MODULES) for name in cls.model_fields} | {"PYTHONDONTWRITEBYTECODE"}
        return {name: value for name, value in os.environ.items() if name not in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Dev:
    """A running `app dev`."""

    process: subprocess.Popen[str]
    folder: Path

    def read_until(self, pattern: str) -> str:
        """The output up to the line that matches."""
        seen: list[str] = []
        for line in cast("IO[str]", self.process.stdout):
            seen.append(line)
            if re.search(pattern, line):
                return "".join(seen)
        raise AssertionError(f"{pattern} never came:\n{''.join(seen)}")

    @property
    def database_pid(self) -> int:
        """The process id of the private PostgreSQL."""
        return int((self.folder / ".local" / "postgres" / "postmaster.pid").read_text().split()[0])

    def end(self, with_signal: signal.Signals) -> int:
        """Send the signal and wait for the end of the process."""
        self.process.send_signal(with_signal)
        return self.process.wait(SECONDS)


def copy_project(folder: Path) -> Project:
    """A copy of what `app` needs, without what belongs to this machine."""
    for name in ("app", "migrations"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".env.example", folder)
    return Project(folder=folder)


def is_gone(pid: int) -> bool:
    """Whether a process ends within the time that it may take."""
    for _turn in poll(SECONDS):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if is_zombie(pid):
            return True
    return False


def is_zombie(pid: int) -> bool:
    """Return whether an ended process is a zombie, as in a container without an init process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
