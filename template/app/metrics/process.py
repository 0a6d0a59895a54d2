"""Regular measurements of this process: the event loop's lag, CPU time, memory, and what is running."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from sqlalchemy.pool import QueuePool

from app.core.runtime import Runtime
from app.metrics.instruments import Instruments
from app.metrics.listener import MetricsListener

INTERVAL: Final = 0.5
"""Seconds between two measurements."""
_STATM: Final = Path("/proc/self/statm")


async def measure_process(runtime: Runtime, instruments: Instruments, listener: MetricsListener, role: str) -> None:
    """Measure until the task is cancelled."""
    loop = asyncio.get_running_loop()
    metrics = instruments.processes
    metrics.running.labels(role).set(1)
    cpu = 0.0
    while True:
        _publish(runtime, instruments, listener)
        metrics.memory.labels(role).set(_resident_memory())
        used = time.process_time()
        metrics.cpu.labels(role).inc(used - cpu)
        cpu = used
        due = loop.time() + INTERVAL
        await asyncio.sleep(INTERVAL)
        metrics.loop_lag.observe(max(0.0, loop.time() - due))


def _publish(runtime: Runtime, instruments: Instruments, listener: MetricsListener) -> None:
    traffic = instruments.traffic
    traffic.active_requests.set(listener.active_requests)
    traffic.realtime_connections.set(listener.realtime_connections)
    traffic.pool_connections.labels("used").set(listener.connections_in_use)
    pool = runtime.database.engine.sync_engine.pool
    if isinstance(pool, QueuePool):
        traffic.pool_connections.labels("idle").set(pool.checkedin())
        traffic.pool_size.set(pool.size())


def _resident_memory() -> int:
    """Return the resident memory in bytes; 0 on systems other than Linux."""
    if sys.platform != "linux":
        return 0
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
