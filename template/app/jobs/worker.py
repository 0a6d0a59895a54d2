"""The process of `app worker`."""

import asyncio
import math
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from app.core.lifecycle import running
from app.core.observability.logging import configure_logging
from app.core.runtime import Runtime
from app.jobs.broker import WorkerOptions

logger = structlog.stdlib.get_logger(__name__)

SHUTDOWN_TIME = 5
"""Seconds after the drain timeout in which a worker gives back unfinished jobs and closes its connections."""


async def run_worker(runtime: Runtime, options: WorkerOptions) -> None:
    """Run jobs until SIGTERM or SIGINT, then drain."""
    configure_logging(runtime.settings)
    stop = asyncio.Event()
    _call_on_signals(stop.set)
    runtime.provide(WorkerOptions, options)
    async with running(runtime):
        logger.info("worker_started", concurrency=options.concurrency)
        await stop.wait()
        logger.info("worker_stopping")


def _call_on_signals(stop: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            # The event loops of Windows have no signal handlers.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
        else:
            loop.add_signal_handler(number, stop)


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the faster event loop that the server uses too, if the platform has it."""
    try:
        import uvloop  # noqa: PLC0415 - not available on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def default_concurrency(runtime: Runtime) -> int:
    """Return the number of jobs for which there are database connections: the worker itself needs two."""
    return max(runtime.settings.DB_POOL_SIZE - 2, 1)


def run_with_reload(arguments: Sequence[str], watched: Path, drain_timeout: float) -> int:
    """Run a worker in a child process, and restart it whenever the code changes, until SIGTERM.

    Returns:
        The exit code.
    """
    worker = shlex.join([sys.executable, "-m", "app.cli.main", "worker", *arguments])
    # A development dependency: not in the image.
    watch = [
        sys.executable,
        "-m",
        "watchfiles",
        "--filter",
        "python",
        f"--sigint-timeout={math.ceil(drain_timeout) + SHUTDOWN_TIME}",
    ]
    process = subprocess.Popen([*watch, worker, str(watched)])  # noqa: S603 - our own
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    # Ctrl-C reaches every process of the terminal. This one waits for the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()
