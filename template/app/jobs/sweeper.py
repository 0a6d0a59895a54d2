"""The sweeper: enqueues scheduled jobs, hands over due jobs, and recovers the jobs of dead workers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from uuid import UUID

import structlog

from app.core.db.models import utc_now
from app.jobs.broker import Broker
from app.jobs.crons import CronScheduler
from app.jobs.ledger import Ledger
from app.jobs.models import JobState
from app.jobs.relay import BATCH
from app.jobs.statements import LOST
from app.jobs.timing import QueueTiming
from app.kit.backoff import backoff

logger = structlog.stdlib.get_logger(__name__)


class Sweeper:
    """A sweeper that polls the table about once a second.

    Args:
        heartbeat: called after each sweep, successful or not, as a sign that this process is alive.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        crons: CronScheduler,
        timing: QueueTiming,
        heartbeat: Callable[[], object],
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._crons = crons
        self._timing = timing
        self._heartbeat = heartbeat
        self._failures = 0
        self._heartbeat_failed = False

    async def sweep(self) -> None:
        """Sweep once."""
        await self._crons.tick(utc_now())
        due = await self._ledger.next_due()
        if due is None or due > utc_now():
            return
        for id_, name, state in await self._ledger.take_lost():
            log = logger.bind(job=name, job_id=str(id_))
            if state == JobState.DEAD:
                log.error("job_failed", reason=LOST)
            else:
                log.warning("job_lease_expired")
        while (capacity := min(await self._broker.capacity(), BATCH)) > 0:
            ids = await self._ledger.take_due(capacity)
            if ids:
                await self._hand_over(ids)
            if len(ids) < capacity:
                return

    async def _hand_over(self, ids: Sequence[UUID]) -> None:
        try:
            await self._broker.send(ids)
        except Exception:
            await self._ledger.postpone(ids, utc_now())
            raise

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Sweep repeatedly until the block ends."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._sweep_until(stop), context=Context())
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=self._timing.max_poll_interval.total_seconds())
            task.cancel()
            await asyncio.wait({task})

    async def _sweep_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            delay = await self._try_sweep()
            self._send_heartbeat()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), delay.total_seconds())

    def _send_heartbeat(self) -> None:
        try:
            self._heartbeat()
        except Exception:
            # The health check will fail and the process be restarted. Until then it goes on working.
            if not self._heartbeat_failed:
                logger.exception("jobs_heartbeat_failed")
            self._heartbeat_failed = True

    async def _try_sweep(self) -> timedelta:
        """Sweep once, and return the delay before the next sweep."""
        try:
            await self.sweep()
        except Exception as error:
            self._failures += 1
            if self._failures == 1:
                logger.warning("jobs_sweep_failed", error=type(error).__name__, exc_info=error)
            return backoff(self._failures, first=self._timing.poll_interval, longest=self._timing.max_poll_interval)
        if self._failures:
            logger.info("jobs_sweep_recovered", failures=self._failures)
        self._failures = 0
        return self._timing.poll_interval
