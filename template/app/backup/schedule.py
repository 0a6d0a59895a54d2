"""Backups at a fixed time of the day, for a container without cron."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Final, NoReturn

import structlog

from app.backup.heartbeat import FAILED, HEARTBEAT_INTERVAL, OK

logger = structlog.stdlib.get_logger(__name__)

RETRY_DELAY: Final = timedelta(minutes=15)
MAX_AGE: Final = timedelta(hours=24)
"""The age of the newest backup beyond which the process makes one when it starts, as if it were from the future."""
STOP_TIMEOUT: Final = 20.0
STEP: Final = 4
"""The index of a command's name in its command line."""


def next_run(now: datetime, at: time_of_day) -> datetime:
    """Return the next time of the day `at`, in UTC."""
    today = now.astimezone(UTC).replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


@dataclass(kw_only=True)
class Schedule:
    """Commands that run once a day, each in a process of its own. An exception in the main thread ends them and it.

    Attributes:
        at: the time of the day, in UTC.
        commands: run one after the other; the first one that fails ends the run, and it is repeated later.
        deadline: seconds after which a command is stopped. It counts as failed.
        heartbeat: the file that shows that this process is alive, and whether its last run failed.
        sleep: waits for some seconds.
        now: returns the current time.
        failed: whether the last run failed.
    """

    at: time_of_day
    commands: Sequence[Sequence[str]]
    deadline: float
    heartbeat: Path
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    failed: bool = field(default=False, init=False)

    def serve(self, newest: datetime | None) -> NoReturn:
        """Run the commands every day, and after a failure every 15 minutes.

        Args:
            newest: the time of the newest backup.
        """
        is_recent = newest is not None and timedelta() <= self.now() - newest <= MAX_AGE
        due = next_run(self.now(), self.at) if is_recent else self.now()
        while True:
            self._beat()
            # If the clock was put back, the time that was computed before may be years away.
            due = min(due, next_run(self.now(), self.at))
            remaining = (due - self.now()).total_seconds()
            if remaining > 0:
                self.sleep(min(remaining, HEARTBEAT_INTERVAL))
                continue
            self.failed = not all(self._run(command) for command in self.commands)
            due = next_run(self.now(), self.at)
            if self.failed:
                due = min(due, self.now() + RETRY_DELAY)

    def _run(self, command: Sequence[str]) -> bool:
        """Run a command with the deadline, and return whether it succeeded."""
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command line
        try:
            while process.poll() is None and time.monotonic() - began < self.deadline:
                self._beat()
                _wait(process, min(HEARTBEAT_INTERVAL, self.deadline))
        finally:
            late = _end(process)
        name, seconds = command[STEP], round(time.monotonic() - began)
        if process.returncode == 0:
            logger.info("scheduled_backup_done", step=name, seconds=seconds)
            return True
        logger.error("scheduled_backup_failed", step=name, seconds=seconds, exit_code=process.returncode, late=late)
        return False

    def _beat(self) -> None:
        self.heartbeat.write_text(FAILED if self.failed else OK, encoding="ascii")


def command_line(step: str, *arguments: str) -> list[str]:
    """Return the command line of another command of this group."""
    return [sys.executable, "-m", "app.cli.main", "backup", step, *arguments]


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(process: subprocess.Popen[bytes]) -> bool:
    """End a command that still runs, and return whether it did."""
    if process.poll() is not None:
        return False
    process.terminate()
    _wait(process, STOP_TIMEOUT)
    if process.poll() is None:
        process.kill()
        process.wait()
    return True
