"""Run jobs: claim a job in the table, call its function, and record the outcome."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from app.core.jobs.job_log import logged_attempt
from app.core.jobs.options import options_of
from app.core.observability.error_summary import one_line
from app.core.ports.operations import JobAttempt
from app.core.ports.queue import JobFunction
from app.jobs.batches import Batches
from app.jobs.ledger import Claim, Ledger
from app.jobs.results import keep_result
from app.jobs.timing import QueueTiming
from app.kit.backoff import backoff
from app.kit.cancellation import is_cancelled

if TYPE_CHECKING:
    from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

OUTCOME_RETRY_DELAY: Final = timedelta(milliseconds=200)


class Runner:
    """A runner of the jobs that the broker hands over.

    Args:
        functions: the functions of all jobs, by name.
    """

    def __init__(
        self, runtime: "Runtime", functions: Mapping[str, JobFunction], ledger: Ledger, timing: QueueTiming
    ) -> None:
        self._runtime = runtime
        self._functions = functions
        self._ledger = ledger
        self._timing = timing
        self._claims = Batches(self._claim)
        self._finishes = Batches(self._finish)
        self._running: dict[UUID, Claim] = {}

    async def run(self, id_: UUID) -> None:
        """Claim the job and run it once, unless it is not due, done, or claimed by another worker.

        Raises:
            DatabaseUnavailableError: the job could not be claimed. The sweeper hands it over again later.
            CancelledError: the job was given back.
        """
        claim = await self._claims.add(id_)
        if claim is not None:
            await self.run_claimed(claim)

    async def run_claimed(self, claim: Claim) -> BaseException | None:
        """Run a claimed job once.

        Returns:
            The exception of the last attempt if the job is dead now.
        """
        self._running[claim.id] = claim
        facts = {"job": claim.name, "job_id": str(claim.id)}
        if claim.request_id:
            facts["request_id"] = claim.request_id
        try:
            with bound_contextvars(**facts):
                return await self._attempt(claim)
        except asyncio.CancelledError:
            await self._ledger.give_back([claim])
            raise
        finally:
            self._running.pop(claim.id, None)

    async def _attempt(self, claim: Claim) -> BaseException | None:
        try:
            with self._runtime.telemetry.observe(_operation(claim)), logged_attempt(claim.attempt):
                await self._call(claim)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if is_cancelled():
                raise
            await self._fail(claim, error)
            return error if claim.is_last else None
        await self._succeed(claim)
        return None

    async def _call(self, claim: Claim) -> None:
        function = self._functions.get(claim.name)
        if function is None:
            raise LookupError(f"{claim.name} is in no module's `jobs`.")
        async with asyncio.timeout(options_of(function).timeout.total_seconds()):
            result = await function(self._runtime, *claim.args)
        if result is not None:
            await keep_result(self._runtime, claim.id, result)

    async def _succeed(self, claim: Claim) -> None:
        if await self._record(lambda: self._finishes.add(claim)):
            return
        # The lease expired, as it does when the job blocks the event loop.
        if await self._record(lambda: self._ledger.finish_late(claim)):
            logger.warning("job_finished_after_its_lease", attempt=claim.attempt)
        else:
            logger.warning("job_taken_over", attempt=claim.attempt)

    async def _fail(self, claim: Claim, error: BaseException) -> None:
        timing = self._timing
        delay = backoff(claim.attempt, first=timing.first_retry_delay, longest=timing.max_retry_delay)
        reason = one_line(error)
        if claim.is_last:
            logger.error("job_failed", attempts=claim.attempt, exc_info=error)
        else:
            logger.warning("job_retried", attempt=claim.attempt, reason=reason, seconds=round(delay.total_seconds()))
        await self._record(lambda: self._ledger.fail(claim, reason, delay))

    async def _record(self, write: Callable[[], Awaitable[bool]]) -> bool:
        """Write an outcome. While the database is unavailable, retry for the duration of a lease."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._timing.lease.total_seconds()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await write()
            except Exception:
                delay = backoff(attempt, first=OUTCOME_RETRY_DELAY, longest=self._timing.max_poll_interval)
                if clock() + delay.total_seconds() > end:
                    # The job will run again. Jobs have to be idempotent.
                    raise
                await asyncio.sleep(delay.total_seconds())

    async def _claim(self, ids: Sequence[UUID]) -> list[Claim | None]:
        claims = {claim.id: claim for claim in await self._ledger.claim(ids)}
        # A job that was handed over twice in one batch runs once.
        return [claims.pop(id_, None) for id_ in ids]

    async def _finish(self, claims: Sequence[Claim]) -> list[bool]:
        finished = await self._ledger.finish(claims)
        return [claim.id in finished for claim in claims]

    @asynccontextmanager
    async def heartbeats(self) -> AsyncIterator[None]:
        """Renew the leases of the running jobs until the block ends."""
        task = asyncio.create_task(self._renew_leases(), context=Context())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _renew_leases(self) -> None:
        old: set[UUID] = set()
        while True:
            await asyncio.sleep(self._timing.heartbeat_interval.total_seconds())
            # The lease of a job that started since the last heartbeat is still new.
            claims = [claim for id_, claim in self._running.items() if id_ in old]
            old = set(self._running)
            if claims:
                try:
                    await self._ledger.renew(claims)
                except Exception:
                    logger.exception("job_leases_not_renewed", count=len(claims))


def _operation(claim: Claim) -> JobAttempt:
    return JobAttempt(
        name=claim.name,
        job_id=str(claim.id),
        attempt=claim.attempt,
        is_last=claim.is_last,
        request_id=claim.request_id,
        traceparent=claim.traceparent,
    )
