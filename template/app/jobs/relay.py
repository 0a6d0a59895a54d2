"""The short way from a commit to the workers; what does not get through is left to the sweep."""

import asyncio
from contextvars import Context
from typing import Final
from uuid import UUID

import structlog

from app.jobs.server import Server

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 500


class Relay:
    """Hands jobs over in batches: what is committed while one is under way makes the next."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: list[UUID] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, id_: UUID) -> None:
        """Hands a committed job over, soon."""
        self._waiting.append(id_)
        if self._task is None:
            self._task = asyncio.create_task(self._work_off(), context=Context())

    async def close(self) -> None:
        """Finishes what is under way."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _work_off(self) -> None:
        await asyncio.sleep(0)
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._server.send(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the jobs are in the table
            logger.warning("jobs_left_to_the_sweep", count=len(batch) + len(self._waiting), error=type(error).__name__)
            self._waiting.clear()
        finally:
            self._task = None
