"""Pass events on from the outbox to their streams: right after the commit, or later if a process was killed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import bindparam, delete, select
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.ports.streams import NewMessage
from app.core.runtime import Runtime
from app.realtime.limits import RETRY_DELAY
from app.realtime.models import RealtimeOutboxEvent
from app.realtime.settings import RealtimeSettings

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 200
MAX_PENDING: Final = 10_000
"""Committed events in memory. Beyond that, they are read from the table."""
SWEEP_INTERVAL: Final = 5.0
"""Seconds between two searches for events that a killed process has left behind."""
LEFT_BEHIND: Final = timedelta(seconds=2)
FLUSH_TIMEOUT: Final = 3.0

_LEFT: Final = (
    select(col(RealtimeOutboxEvent.id), col(RealtimeOutboxEvent.stream), col(RealtimeOutboxEvent.data))
    .where(col(RealtimeOutboxEvent.created_at) <= bindparam("until"))
    .order_by(col(RealtimeOutboxEvent.id))
    .limit(BATCH)
)
_DELETE: Final = (
    delete(RealtimeOutboxEvent)
    .where(col(RealtimeOutboxEvent.id).in_(bindparam("ids", expanding=True)))
    .returning(col(RealtimeOutboxEvent.id))
)


class Relay:
    """A relay of committed events, in the order of their commits in this process.

    An event may be passed on twice, by two processes or after a failure; the streams drop the duplicate.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._retention = runtime.resource(RealtimeSettings).retention
        self._pending: list[NewMessage] = []
        self._wake = asyncio.Event()
        self._is_behind = False
        """Whether committed events are in the table only."""

    def add(self, message: NewMessage) -> None:
        """Pass on a committed event soon."""
        if self._is_behind or len(self._pending) >= MAX_PENDING:
            self._fall_behind()
        else:
            self._pending.append(message)
        self._wake.set()

    async def flush(self) -> None:
        """Pass on every event that was committed here. What fails is left to the other processes."""
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._send_pending()
        except Exception as error:  # noqa: BLE001 - whatever it is, the events are in the table
            logger.warning("realtime_events_left_to_the_sweep", error=type(error).__name__)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Pass on events until the end of the block."""
        task = asyncio.create_task(self._run(), context=Context())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        next_sweep = loop.time()
        while True:
            try:
                if self._is_behind:
                    # What is committed from here on is newer than what the table has.
                    self._is_behind = False
                    await self._sweep(timedelta())
                await self._send_pending()
                if loop.time() >= next_sweep:
                    next_sweep = loop.time() + SWEEP_INTERVAL
                    await self._sweep(LEFT_BEHIND)
            except Exception as error:  # noqa: BLE001 - the database or the streams may be unavailable: try again
                logger.warning("realtime_relay_failed", error=type(error).__name__)
                self._fall_behind()
                await asyncio.sleep(RETRY_DELAY)
                continue
            if not self._pending and not self._is_behind:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(next_sweep):
                        await self._wake.wait()

    async def _send_pending(self) -> None:
        while self._pending:
            batch = self._pending[:BATCH]
            await self._pass_on(batch)
            del self._pending[: len(batch)]

    async def _sweep(self, age: timedelta) -> None:
        """Pass on what is in the table, the oldest first.

        Args:
            age: of events that no process is passing on at this moment.
        """
        while True:
            rows = await self._runtime.database.fetch(_LEFT, {"until": utc_now() - age})
            await self._pass_on([NewMessage(str(id_), stream, data) for id_, stream, data in rows])
            if len(rows) < BATCH:
                return

    async def _pass_on(self, messages: Sequence[NewMessage]) -> None:
        if messages:
            await self._runtime.streams.append(messages, self._retention)
            await self._runtime.database.execute(_DELETE, {"ids": [UUID(message.id) for message in messages]})

    def _fall_behind(self) -> None:
        self._is_behind = True
        self._pending.clear()
