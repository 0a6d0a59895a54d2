"""The process behind `app worker`."""

import asyncio
import math
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from app.core.lifecycle import running
from app.core.observability.logging import configure_logging
from app.core.runtime import Runtime
from app.jobs.server import Working

logger = structlog.stdlib.get_logger(__name__)

CLOSING = 5
"""Seconds that a worker has, after the grace for its jobs, to give back what is left and to close all else."""


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


def reloading(arguments: Sequence[str], watched: Path, grace: float) -> int:
    """Runs a worker in a process of its own, and another one whenever the code changes, until asked to end.

    Returns:
        The exit code.
    """
    worker = shlex.join([sys.executable, "-m", "app.cli.main", "worker", *arguments])
    # A program of the development environment, which the application itself does not need.
    watch = [sys.executable, "-m", "watchfiles", "--filter", "python", f"--sigint-timeout={math.ceil(grace) + CLOSING}"]
    process = subprocess.Popen([*watch, worker, str(watched)])  # noqa: S603 - our own
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    # Ctrl-C reaches all processes of the terminal; this one waits for the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()
