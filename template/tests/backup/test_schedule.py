"""Scheduled backups: the clock and the waits are fakes, the commands are real processes."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from app.backup.heartbeat import HEARTBEAT_TIMEOUT, is_healthy
from app.backup.schedule import RETRY_DELAY, Schedule, next_run

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
AT = time(3, 0)


class EndError(Exception):
    """The end of the endless loop."""


class Clock:
    """A clock that a wait moves, until an end."""

    def __init__(self, end: datetime) -> None:
        self.time = START
        self._end = end

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move the time."""
        # Faster than a wait, or two days would take thousands of heartbeats.
        self.time += timedelta(seconds=40 * seconds)
        if self.time >= self._end:
            raise EndError


def run(
    folder: Path, clock: Clock, script: str, *, newest: datetime | None, deadline: float = 60, commands: int = 1
) -> tuple[Schedule, list[str]]:
    """Run a schedule of Python scripts until the clock's end, and return it with the lines that they wrote."""
    log = folder / "log"
    log.touch()
    command: Sequence[str] = [sys.executable, "-c", script, str(log), "step"]
    schedule = Schedule(
        at=AT,
        commands=[command] * commands,
        deadline=deadline,
        heartbeat=folder / "heartbeat",
        now=clock.now,
        sleep=clock.sleep,
    )
    with pytest.raises(EndError):
        schedule.serve(newest)
    return schedule, log.read_text().splitlines()


WRITE = "import sys; open(sys.argv[1], 'a').write('done\\n')"
FAIL = f"{WRITE}; sys.exit(1)"
HANG = f"{WRITE}; import time; time.sleep(600)"


def test_the_next_time_is_today_or_tomorrow() -> None:
    assert next_run(START, time(12, 30)) == START.replace(minute=30)
    assert next_run(START, time(12, 0)) == START + timedelta(days=1)
    assert next_run(START, AT) == START.replace(hour=3) + timedelta(days=1)


def test_runs_once_a_day(tmp_path: Path) -> None:
    clock = Clock(START + timedelta(days=2))
    schedule, lines = run(tmp_path, clock, WRITE, newest=START - timedelta(hours=1))
    assert lines == ["done"] * 2
    assert is_healthy(schedule.heartbeat)


@pytest.mark.parametrize(
    "newest", [None, START - timedelta(days=2), START + timedelta(days=9)], ids=["none", "old", "future"]
)
def test_runs_at_once_if_the_newest_backup_is_old(tmp_path: Path, newest: datetime | None) -> None:
    _, lines = run(tmp_path, Clock(START + timedelta(hours=1)), WRITE, newest=newest)
    assert lines == ["done"]


def test_goes_on_after_the_clock_was_put_back(tmp_path: Path) -> None:
    clock = Clock(START + timedelta(days=2))
    clock.time = START + timedelta(days=400)
    correct = clock.sleep

    def sleep(seconds: float) -> None:
        if clock.time > START + timedelta(days=300):
            clock.time = START
        correct(seconds)

    clock.sleep = sleep  # type: ignore[method-assign] # a clock with another behaviour
    _, lines = run(tmp_path, clock, WRITE, newest=clock.time)
    assert lines == ["done"] * 2


def test_a_failure_is_repeated_and_unhealthy_and_ends_the_run(tmp_path: Path) -> None:
    clock = Clock(START + 2 * RETRY_DELAY)
    schedule, lines = run(tmp_path, clock, FAIL, newest=None, commands=2)
    assert lines == ["done"] * 2
    assert not is_healthy(schedule.heartbeat)


def test_a_command_beyond_the_deadline_is_stopped(tmp_path: Path) -> None:
    schedule, lines = run(tmp_path, Clock(START + timedelta(minutes=1)), HANG, newest=None, deadline=0.3)
    assert len(lines) <= 1
    assert not is_healthy(schedule.heartbeat)


def test_a_process_without_a_heartbeat_is_unhealthy(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    assert not is_healthy(file)
    file.write_text("ok")
    assert is_healthy(file)
    old = file.stat().st_mtime - HEARTBEAT_TIMEOUT - 1
    os.utime(file, (old, old))
    assert not is_healthy(file)
