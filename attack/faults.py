"""PostgreSQL and Redis that stop answering for a few seconds, under light load."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from attack.servers import NotReadyError, Target, get, wait_until_ready

FROZEN_SECONDS = 5.0
LOADERS = 4
REQUEST_TIMEOUT = 45.0
"""Longer than every deadline of the application: a request that takes longer hangs."""
RECOVERY_TIMEOUT = 20.0
ALLOWED = {200, 503}


@dataclass
class Load:
    """What the clients saw."""

    statuses: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0
    errors: list[str] = field(default_factory=list)


def freeze_servers(target: Target) -> list[str]:
    """Freeze each server in turn. Return what failed."""
    failed = _freeze(target, "PostgreSQL", _tree(target.postgres), ALLOWED)
    if target.redis is None:
        sys.stdout.write("no redis-server on the PATH: Redis is not frozen\n")
        return failed
    # The application serves without Redis.
    return failed + _freeze(target, "Redis", [target.redis], {200})


def _freeze(target: Target, name: str, processes: list[int], allowed: set[int]) -> list[str]:
    with _load(target) as load:
        time.sleep(0.5)
        with _stopped(processes):
            time.sleep(FROZEN_SECONDS)
        try:
            recovered = wait_until_ready(target.url, RECOVERY_TIMEOUT)
        except NotReadyError:
            return [f"{name} frozen: not ready again within {RECOVERY_TIMEOUT:.0f} s"]
        time.sleep(0.5)
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(load.statuses.items()))
    sys.stdout.write(
        f"{name} frozen for {FROZEN_SECONDS:.0f} s: {counts}; slowest {load.slowest:.1f} s; "
        f"ready {recovered:.1f} s later\n"
    )
    failed = [f"{name} frozen: {error}" for error in sorted(set(load.errors))]
    wrong = sorted(load.statuses.keys() - allowed)
    return failed + [f"{name} frozen: answered with {status}" for status in wrong]


@contextmanager
def _load(target: Target) -> Iterator[Load]:
    load, ended = Load(), threading.Event()
    threads = [threading.Thread(target=_requests, args=(target, load, ended)) for _ in range(LOADERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _requests(target: Target, load: Load, ended: threading.Event) -> None:
    while not ended.wait(0.05):
        started = time.monotonic()
        try:
            status, _ = get(f"{target.url}/api/v1/app/users/me", token=target.user, timeout=REQUEST_TIMEOUT)
        except (OSError, ValueError) as error:
            load.errors.append(f"no answer ({type(error).__name__})")
            continue
        load.statuses[status] = load.statuses.get(status, 0) + 1
        load.slowest = max(load.slowest, time.monotonic() - started)


@contextmanager
def _stopped(processes: list[int]) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            os.kill(process, signal.SIGCONT)


def _tree(root: int) -> list[int]:
    """Return a process and all of its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found
