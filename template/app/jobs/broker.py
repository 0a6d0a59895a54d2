"""The port for brokers, which hand jobs over to workers: between processes (`arq_broker`), or within this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from app.core.jobs.in_process import DRAIN_TIMEOUT
from app.jobs.runner import Runner

logger = structlog.stdlib.get_logger(__name__)

DEFAULT_CONCURRENCY: Final = 4
"""Concurrent jobs in a process that also serves: fewer than it has database connections, so that requests get some."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOptions:
    """Options of a process that runs jobs.

    Attributes:
        concurrency: the maximum number of jobs that run at the same time.
        drain_timeout: how long running jobs may take to finish when the process stops. The others are given back.
        heartbeat: called about once a second.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    drain_timeout: timedelta = DRAIN_TIMEOUT
    heartbeat: Callable[[], object] = lambda: None


class Broker(Protocol):
    """A broker between the table and workers. It may deliver twice or lose jobs: the table is the source of truth."""

    async def send(self, ids: Sequence[UUID]) -> None:
        """Hand jobs over.

        Raises:
            Exception: the broker is unavailable.
        """
        ...

    async def capacity(self) -> int:
        """Return how many more jobs may be handed over now.

        Raises:
            Exception: the broker is unavailable.
        """
        ...

    def consume(self, runner: Runner, worker: WorkerOptions) -> AbstractAsyncContextManager[None]:
        """Run the jobs that are handed over, until the block ends. Then drain, as the options say."""
        ...


class InProcessBroker:
    """A broker within this process."""

    def __init__(self, *, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._run: Callable[[UUID], asyncio.Task[None]] | None = None

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Broker.send`."""
        for id_ in ids:
            if id_ not in self._tasks and self._run is not None:
                self._tasks[id_] = self._run(id_)

    async def capacity(self) -> int:
        """See `Broker.capacity`."""
        return self._capacity - len(self._tasks)

    @asynccontextmanager
    async def consume(self, runner: Runner, worker: WorkerOptions) -> AsyncIterator[None]:
        """See `Broker.consume`."""
        slots = asyncio.Semaphore(worker.concurrency)

        async def run(id_: UUID) -> None:
            try:
                async with slots:
                    if self._run is not None:
                        await runner.run(id_)
            except Exception:
                logger.exception("job_not_run", job_id=str(id_))
            finally:
                del self._tasks[id_]

        self._run = lambda id_: asyncio.create_task(run(id_), context=Context())
        try:
            yield
        finally:
            self._run = None
            await drain(self._tasks.values(), worker.drain_timeout)


async def drain(tasks: Iterable[asyncio.Task[None]], within: timedelta) -> None:
    """Wait for the tasks, and cancel those that take longer."""
    running = set(tasks)
    if running:
        await asyncio.wait(running, timeout=within.total_seconds())
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
