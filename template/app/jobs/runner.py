"""Runs jobs: takes one from the table, calls its function, and tells the table how it went."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from app.core.jobs.options import options_of
from app.core.observability.error_summary import one_line
from app.core.ports.queue import JobFunction
from app.jobs.batches import Batches
from app.jobs.ledger import Claim, Ledger
from app.jobs.results import keep_result
from app.jobs.times import Times
from app.kit.backoff import backoff
from app.kit.cancellation import is_cancelled

if TYPE_CHECKING:
    from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

_AGAIN: Final = timedelta(milliseconds=200)


class Runner:
    """Runs the jobs that it is told of, each for as long as it is this process's own.

    Args:
        functions: every job's function, by name.
    """

    def __init__(self, runtime: "Runtime", functions: Mapping[str, JobFunction], ledger: Ledger, times: Times) -> None:
        self._runtime = runtime
        self._functions = functions
        self._ledger = ledger
        self._times = times
        self._claims = Batches(self._claim)
        self._ends = Batches(self._finish)
        self._held: dict[UUID, Claim] = {}

    async def run(self, id_: UUID) -> None:
        """Runs the job once, unless it is not due, done, or somebody else's.

        Raises:
            DatabaseUnavailableError: nobody knows whose it is; it is handed over again later.
            CancelledError: after the job was given back.
        """
        claim = await self._claims.add(id_)
        if claim is not None:
            await self.work(claim)

    async def work(self, claim: Claim) -> None:
        """Runs a job that is this process's own."""
        self._held[claim.id] = claim
        facts = {"job": claim.name, "job_id": str(claim.id)}
        if claim.request_id:
            facts["request_id"] = claim.request_id
        try:
            with bound_contextvars(**facts):
                await self._attempt(claim)
        except asyncio.CancelledError:
            await self._ledger.give_back([claim])
            raise
        finally:
            self._held.pop(claim.id, None)

    async def _attempt(self, claim: Claim) -> None:
        try:
            await self._call(claim)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if is_cancelled():
                raise
            await self._fail(claim, error)
        else:
            if not await self._kept(lambda: self._ends.add(claim)):
                logger.warning("job_taken_over", attempt=claim.attempt)

    async def _call(self, claim: Claim) -> None:
        function = self._functions.get(claim.name)
        if function is None:
            raise LookupError(f"{claim.name} is in no module's `jobs`.")
        async with asyncio.timeout(options_of(function).timeout.total_seconds()):
            result = await function(self._runtime, *claim.args)
        if result is not None:
            await keep_result(self._runtime, claim.id, result)

    async def _fail(self, claim: Claim, error: BaseException) -> None:
        times = self._times
        pause = backoff(claim.attempt, first=times.first_pause, longest=times.longest_pause)
        reason = one_line(error)
        if claim.is_last:
            logger.error("job_failed", attempts=claim.attempt, exc_info=error)
        else:
            logger.warning("job_retried", attempt=claim.attempt, reason=reason, seconds=round(pause.total_seconds()))
        await self._kept(lambda: self._ledger.fail(claim, reason, pause))

    async def _kept(self, write: Callable[[], Awaitable[bool]]) -> bool:
        """Writes an outcome, again and again while the database is away, for as long as the job may be its own."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._times.lease.total_seconds()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await write()
            except Exception:
                pause = backoff(attempt, first=_AGAIN, longest=self._times.longest_poll).total_seconds()
                if clock() + pause > end:
                    # The job will run again; that is what handlers have to bear.
                    raise
                await asyncio.sleep(pause)

    async def _claim(self, ids: Sequence[UUID]) -> list[Claim | None]:
        found = {claim.id: claim for claim in await self._ledger.claim(ids)}
        # A job that was handed over twice is run once.
        return [found.pop(id_, None) for id_ in ids]

    async def _finish(self, claims: Sequence[Claim]) -> list[bool]:
        ended = await self._ledger.finish(claims)
        return [claim.id in ended for claim in claims]

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Gives signs of life for the jobs that run, until the block is left."""
        task = asyncio.create_task(self._beat(), context=Context())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _beat(self) -> None:
        old: set[UUID] = set()
        while True:
            await asyncio.sleep(self._times.beat.total_seconds())
            # What has come since the last beat has a lease that is still young.
            kept = [claim for id_, claim in self._held.items() if id_ in old]
            old = set(self._held)
            if kept:
                try:
                    await self._ledger.renew(kept)
                except Exception:
                    logger.exception("job_leases_not_renewed", count=len(kept))
