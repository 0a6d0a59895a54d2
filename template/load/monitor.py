# mypy: disable-error-code="import-not-found, import-untyped"
"""Samples of a local server while it is under load."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil
from sqlalchemy import text

from app.core.db.engine import command_engine
from load.judgement import Sample

INTERVAL: Final = 2.0
PACE_WORK: Final = 500_000
"""Numbers to add: some milliseconds of work."""
CONNECTIONS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@contextmanager
def sampled(pid: int, database: str) -> Iterator[list[Sample]]:
    """Take a sample of a process, its children and its database every INTERVAL seconds, until the end of the block."""
    samples: list[Sample] = []
    ended = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_watch(pid, database, samples, ended)), daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join(timeout=INTERVAL * 5)


async def _watch(pid: int, database: str, samples: list[Sample], ended: threading.Event) -> None:
    engine = command_engine(database)
    began = time.monotonic()
    async with engine.connect() as connection:
        while not ended.is_set():
            connections = int((await connection.execute(CONNECTIONS)).scalar_one())
            await connection.rollback()
            memory, descriptors, processor = _usage(pid)
            samples.append(
                Sample(
                    at=time.monotonic() - began,
                    memory=memory,
                    descriptors=descriptors,
                    connections=connections,
                    processor=processor,
                    pace=_pace(),
                )
            )
            await asyncio.to_thread(ended.wait, INTERVAL)
    await engine.dispose()


def _usage(pid: int) -> tuple[int, int, float]:
    """Return the resident memory, the open descriptors and the processor time of a process and its children."""
    memory = descriptors = 0
    processor = 0.0
    with suppress(psutil.NoSuchProcess):
        main = psutil.Process(pid)
        for process in (main, *main.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory += process.memory_info().rss
                descriptors += process.num_fds()
                times = process.cpu_times()
                processor += times.user + times.system
    return memory, descriptors, processor


def _pace() -> float:
    """Return the seconds that a fixed amount of work takes."""
    began = time.perf_counter()
    sum(range(PACE_WORK))
    return time.perf_counter() - began
