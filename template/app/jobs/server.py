"""What tells workers of jobs: a server between processes (`arq_server`), or nothing but this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from app.core.jobs.in_process import CLOSING_TIME
from app.jobs.runner import Runner

logger = structlog.stdlib.get_logger(__name__)

FEW: Final = 4
"""Jobs at once in a process that serves as well: fewer than it has database connections, so that requests have some."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Working:
    """How a process works.

    Attributes:
        concurrency: how many jobs run at once.
        grace: how long they may take to finish when the process stops; what has not is given back.
        alive: called about once a second.
    """

    concurrency: int = FEW
    grace: timedelta = CLOSING_TIME
    alive: Callable[[], object] = lambda: None


class Server(Protocol):
    """Tells workers of jobs. May tell twice, and may forget: the table knows."""

    async def send(self, ids: Sequence[UUID]) -> None:
        """Hands jobs over.

        Raises:
            Exception: they could not be.
        """
        ...

    async def room(self) -> int:
        """How many more may be handed over now.

        Raises:
            Exception: nobody answers.
        """
        ...

    def working(self, runner: Runner, working: Working) -> AbstractAsyncContextManager[None]:
        """Has the runner run what is handed over, here or elsewhere, until the block is left; then as `grace` says."""
        ...


class NoServer:
    """Hands jobs over within this process."""

    def __init__(self, *, most: int = 1000) -> None:
        self._most = most
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._run: Callable[[UUID], asyncio.Task[None]] | None = None

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Server.send`."""
        for id_ in ids:
            if id_ not in self._tasks and self._run is not None:
                self._tasks[id_] = self._run(id_)

    async def room(self) -> int:
        """See `Server.room`."""
        return self._most - len(self._tasks)

    @asynccontextmanager
    async def working(self, runner: Runner, working: Working) -> AsyncIterator[None]:
        """See `Server.working`."""
        slots = asyncio.Semaphore(working.concurrency)

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
            await finish(self._tasks.values(), working.grace)


async def finish(tasks: Iterable[asyncio.Task[None]], within: timedelta) -> None:
    """Waits for tasks, and cancels those that take longer."""
    running = set(tasks)
    if running:
        await asyncio.wait(running, timeout=within.total_seconds())
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
