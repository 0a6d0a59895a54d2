"""How workers hear of jobs: in this process, or through a server in between (`arq_transport`)."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog

from app.jobs.runner import Runner

logger = structlog.stdlib.get_logger(__name__)


class Transport(Protocol):
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
            Exception: none, as nobody answers.
        """
        ...


class LocalTransport:
    """Runs jobs in this process, a few at a time."""

    def __init__(self, runner: Runner, *, concurrency: int, most: int = 1000) -> None:
        self._runner = runner
        self._slots = asyncio.Semaphore(concurrency)
        self._most = most
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._closing = False

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Transport.send`."""
        for id_ in ids:
            if id_ not in self._tasks and not self._closing:
                self._tasks[id_] = asyncio.create_task(self._run(id_), context=Context())

    async def room(self) -> int:
        """See `Transport.room`."""
        return self._most - len(self._tasks)

    async def close(self, within: timedelta) -> None:
        """Lets what runs finish, and gives back what has not finished in time."""
        self._closing = True
        running = set(self._tasks.values())
        if running:
            await asyncio.wait(running, timeout=within.total_seconds())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, id_: UUID) -> None:
        try:
            async with self._slots:
                if not self._closing:
                    await self._runner.run(id_)
        except Exception:
            logger.exception("job_not_run", job_id=str(id_))
        finally:
            del self._tasks[id_]
