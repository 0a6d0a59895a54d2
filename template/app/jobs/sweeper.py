"""The safety net, and the clock: hands over what is due and has not got through, whoever has queued it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from uuid import UUID

import structlog

from app.core.db.models import utc_now
from app.jobs.crons import Clock
from app.jobs.ledger import Ledger
from app.jobs.models import JobState
from app.jobs.relay import BATCH
from app.jobs.server import Server
from app.jobs.times import Times
from app.kit.backoff import backoff

logger = structlog.stdlib.get_logger(__name__)


class Sweeper:
    """Looks at the table about once a second.

    Args:
        told: called after each look, whether it went well or not; who watches over this process wants that.
    """

    def __init__(self, ledger: Ledger, server: Server, clock: Clock, times: Times, told: Callable[[], object]) -> None:
        self._ledger = ledger
        self._server = server
        self._clock = clock
        self._times = times
        self._told = told
        self._failures = 0
        self._is_heard = True

    async def sweep(self) -> None:
        """One look."""
        await self._clock.tick(utc_now())
        due = await self._ledger.next_due()
        if due is None or due > utc_now():
            return
        for id_, name, state in await self._ledger.take_lost():
            log = logger.bind(job=name, job_id=str(id_))
            if state == JobState.DEAD:
                log.error("job_failed", reason="Its worker ended, or fell silent, during the last attempt.")
            else:
                log.warning("job_taken_from_silent_worker")
        while (room := min(await self._server.room(), BATCH)) > 0:
            ids = await self._ledger.take_due(room)
            if ids:
                await self._hand_over(ids)
            if len(ids) < room:
                return

    async def _hand_over(self, ids: Sequence[UUID]) -> None:
        try:
            await self._server.send(ids)
        except Exception:
            await self._ledger.postpone(ids, utc_now())
            raise

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Looks again and again until the block is left."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._sweep_until(stop), context=Context())
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=self._times.longest_poll.total_seconds())
            task.cancel()
            await asyncio.wait({task})

    async def _sweep_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            pause = await self._look()
            self._tell()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause.total_seconds())

    def _tell(self) -> None:
        try:
            self._told()
        except Exception:
            # Whoever watches takes this process for dead soon; until then the jobs are seen to.
            if self._is_heard:
                logger.exception("jobs_sign_of_life_failed")
            self._is_heard = False

    async def _look(self) -> timedelta:
        """One look, and how long to wait for the next."""
        try:
            await self.sweep()
        except Exception as error:
            self._failures += 1
            if self._failures == 1:
                logger.warning("jobs_sweep_failed", error=type(error).__name__, exc_info=error)
            return backoff(self._failures, first=self._times.poll, longest=self._times.longest_poll)
        if self._failures:
            logger.info("jobs_sweep_recovered", failures=self._failures)
        self._failures = 0
        return self._times.poll
