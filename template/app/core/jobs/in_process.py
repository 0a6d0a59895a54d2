"""The default queue: runs jobs in this process, after the commit."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars
from uuid_utils.compat import uuid7

from app.core.context import current_request_id, traceparent
from app.core.db.database import after_commit
from app.core.jobs.job_log import logged_attempt
from app.core.jobs.names import by_job_name, listed_name
from app.core.jobs.options import JobOptions, options_of
from app.core.ports.operations import JobAttempt
from app.core.ports.queue import JobFailedError, JobFunction, Json, Queue, raise_failures, to_json
from app.core.runtime import Runtime
from app.kit.backoff import backoff
from app.kit.cancellation import is_cancelled

logger = structlog.stdlib.get_logger(__name__)

DRAIN_TIMEOUT: Final = timedelta(seconds=5)
"""Time that a stopping process gives its jobs to finish: Docker kills it after ten seconds, others after thirty."""
FIRST_RETRY_DELAY: Final = timedelta(seconds=1)
MAX_RETRY_DELAY: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """A waiting job. The arguments are JSON text, so that a job gets the same values as from a queue with a server."""

    id: str
    name: str
    args: str
    delay: float
    request_id: str | None
    traceparent: str | None


class InProcessQueue(Queue):
    """A queue that runs jobs in this process, a few at a time, with retries.

    Jobs that wait when the process is killed are lost, and so are deferred jobs when it stops. The `jobs` piece brings
    a queue that loses nothing.

    Args:
        functions: every job that may be enqueued.
        attempts: the maximum number of attempts of a job without options of its own.
        concurrency: jobs that run at the same time; fewer than the database has connections, so that requests get some.
    """

    def __init__(
        self, runtime: Runtime, functions: Sequence[JobFunction], *, attempts: int = 5, concurrency: int = 4
    ) -> None:
        self._runtime = runtime
        self._functions = by_job_name(functions)
        self._options = {name: options_of(function) for name, function in self._functions.items()}
        self._attempts = attempts
        self._slots = asyncio.Semaphore(concurrency)
        self._closing = asyncio.Event()
        self._waiting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._backlog: deque[_Job] = deque()
        self.eager = True
        """Whether jobs start at the commit. Otherwise they wait for `drain`, as in tests."""

    async def enqueue(
        self,
        session: AsyncSession,
        function: JobFunction,
        *args: Json,
        defer_by: timedelta | None = None,
        job_id: str | None = None,
    ) -> str:
        """See `Queue.enqueue`."""
        name = listed_name(self._functions, function)
        job = _Job(
            id=job_id or str(uuid7()),
            name=name,
            args=to_json(name, args),
            delay=max(defer_by.total_seconds(), 0.0) if defer_by else 0.0,
            request_id=current_request_id(),
            traceparent=traceparent(),
        )
        after_commit(session, lambda: self._submit(job))
        return job.id

    async def drain(self, *, raises: bool = True) -> None:
        """See `Queue.drain`."""
        failures: list[JobFailedError] = []
        while self._backlog or self._tasks:
            while self._backlog:
                job = self._backlog.popleft()
                self._waiting.discard(job.id)
                error = await _start(self._attempt_all(job, pausing=False))
                if error is not None:
                    failures.append(JobFailedError(job.name, job.id, error))
            if self._tasks:
                await asyncio.wait(self._tasks)
        if raises:
            raise_failures(failures)

    async def close(self, within: timedelta) -> None:
        """Finish the running jobs, retry failed ones once more at once, and log the jobs that are lost.

        Args:
            within: the maximum time for all of that. Jobs that still run then are cancelled.
        """
        self._closing.set()
        clock = asyncio.get_running_loop().time
        deadline = clock() + within.total_seconds()
        # A running job may enqueue others: they are finished as well.
        while self._tasks and (left := deadline - clock()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        late = tuple(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    @asynccontextmanager
    async def running(self, *, background: bool) -> AsyncIterator[None]:  # noqa: ARG002 - a command's jobs run here, too
        """See `Queue.running`."""
        try:
            yield
        finally:
            await self.close(DRAIN_TIMEOUT)

    def _submit(self, job: _Job) -> None:
        if job.id in self._waiting:
            return
        self._waiting.add(job.id)
        if not self.eager:
            self._backlog.append(job)
            return
        task = _start(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: _Job) -> None:
        try:
            if job.delay and not await self._sleep(job.delay):
                _log_lost(job, "it is not due yet")
                return
            self._waiting.discard(job.id)
            await self._attempt_all(job, pausing=True)
        except asyncio.CancelledError:
            _log_lost(job, "it took too long")
            raise

    async def _attempt_all(self, job: _Job, *, pausing: bool) -> BaseException | None:
        """Run the job until it succeeds or its attempts are used up.

        Returns:
            The exception of the last attempt, if it failed.
        """
        options = self._options[job.name]
        attempts = options.attempts or self._attempts
        bind_contextvars(job=job.name, job_id=job.id)
        if job.request_id:
            bind_contextvars(request_id=job.request_id)
        for attempt in range(1, attempts + 1):
            # When the process stops, the next attempt is the last one.
            is_last = attempt == attempts or self._closing.is_set()
            error = await self._attempt(job, attempt, options, is_last=is_last)
            if error is None or is_last:
                return error
            if pausing:
                delay = backoff(attempt, first=FIRST_RETRY_DELAY, longest=MAX_RETRY_DELAY)
                await self._sleep(delay.total_seconds())
        return None

    async def _attempt(self, job: _Job, attempt: int, options: JobOptions, *, is_last: bool) -> BaseException | None:
        try:
            async with self._slots:
                operation = JobAttempt(
                    name=job.name,
                    job_id=job.id,
                    attempt=attempt,
                    is_last=is_last,
                    request_id=job.request_id,
                    traceparent=job.traceparent,
                )
                with self._runtime.telemetry.observe(operation), logged_attempt(attempt):
                    async with asyncio.timeout(options.timeout.total_seconds()):
                        await self._functions[job.name](self._runtime, *json.loads(job.args))
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if is_cancelled():
                raise
            if is_last:
                logger.exception("job_failed", attempts=attempt)
            else:
                logger.warning("job_retried", attempt=attempt, error=type(error).__name__)
            return error
        return None

    async def _sleep(self, seconds: float) -> bool:
        """Sleep until the queue closes. Return whether the whole time has passed."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return True
        return False


def _start[T](work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    # A job is not part of the request that enqueued it: it starts with an empty context.
    return asyncio.create_task(work, context=Context())


def _log_lost(job: _Job, why: str) -> None:
    logger.error("job_lost", job=job.name, job_id=job.id, reason=f"The process stops and {why}.")
