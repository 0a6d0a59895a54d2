"""The process behind `app worker`."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from app.core.logging import configure_logging
from app.core.runtime import Runtime, running
from app.dev.supervisor import changes, ending
from app.jobs.server import Working

logger = structlog.stdlib.get_logger(__name__)

PATIENCE: Final = 30.0
"""Seconds without a sign of life after which a worker counts as dead."""


def sign_of_life() -> Path:
    """The file that a worker touches: in a container, its own."""
    return Path(tempfile.gettempdir()) / "app-worker-alive"


def is_alive(file: Path) -> bool:
    """Whether a worker has touched the file lately."""
    try:
        return time.time() - file.stat().st_mtime < PATIENCE
    except FileNotFoundError:
        return False


async def work(
    runtime: Runtime, *, concurrency: int, grace: timedelta, alive: Callable[[], object] = lambda: None
) -> None:
    """Works until asked to end, then finishes what runs, and gives back what takes longer than `grace`.

    Args:
        concurrency: see `Working`.
        grace: see `Working`.
        alive: see `Working`.
    """
    configure_logging(runtime.settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runtime.provide(Working, Working(concurrency=concurrency, grace=grace, alive=alive))
    async with running(runtime):
        logger.info("worker_started", concurrency=concurrency)
        await stop.wait()
        logger.info("worker_stopping")


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop that the server has as well, where there is one for the platform."""
    try:
        import uvloop  # noqa: PLC0415 - is not everywhere
    except ImportError:
        return None
    return uvloop.new_event_loop


def connections_left(runtime: Runtime) -> int:
    """How many jobs may run at once so that each can have a database connection, and the worker itself two."""
    return max(runtime.settings.DB_POOL_SIZE - 2, 1)


def reloading(arguments: Sequence[str], watched: Path) -> int:
    """Runs a worker in a process of its own, and another one whenever the code changes, until asked to end.

    Returns:
        The exit code.
    """
    command = [sys.executable, "-m", "app.cli.main", "worker", *arguments]
    with ending() as stop:
        process = subprocess.Popen(command, env=os.environ)  # noqa: S603 - our own
        for changed in changes([watched], stop):
            if changed:
                logger.info("worker_reloading", files=sorted(changed))
                _end(process)
                process = subprocess.Popen(command, env=os.environ)  # noqa: S603 - our own
        _end(process)
    return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait()
