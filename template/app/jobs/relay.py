"""Hand committed jobs over to the broker at once. The sweeper hands over those that the relay could not."""

import asyncio
from contextvars import Context
from typing import Final
from uuid import UUID

import structlog

from app.jobs.broker import Broker

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 500


class Relay:
    """A relay of jobs in batches: jobs that are committed while a batch is being sent form the next one."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._pending: list[UUID] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, id_: UUID) -> None:
        """Hand over a committed job. Returns at once."""
        self._pending.append(id_)
        if self._task is None:
            self._task = asyncio.create_task(self._send_pending(), context=Context())

    async def close(self) -> None:
        """Wait until all jobs are sent, or sending has failed."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _send_pending(self) -> None:
        await asyncio.sleep(0)
        try:
            while self._pending:
                batch, self._pending = self._pending[:BATCH], self._pending[BATCH:]
                await self._broker.send(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the jobs are in the table
            count = len(batch) + len(self._pending)
            logger.warning("jobs_left_to_the_sweep", count=count, error=type(error).__name__)
            self._pending.clear()
        finally:
            self._task = None
