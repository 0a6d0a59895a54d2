"""The default queue: runs jobs in this process, after the commit."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars
from uuid_utils.compat import uuid7

from app.core.context import current_request_id
from app.core.db.database import after_commit
from app.core.jobs.names import by_job_name, listed_name
from app.core.jobs.options import JobOptions, options_of
from app.core.ports.queue import JobFunction, Json, Queue, to_json
from app.core.runtime import Runtime
from app.kit.backoff import backoff
from app.kit.cancellation import is_cancelled

logger = structlog.stdlib.get_logger(__name__)

CLOSING_TIME: Final = timedelta(seconds=5)
"""How long a stopping process works on what is queued: Docker kills it after ten seconds, others after thirty."""
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What waits. Arguments are kept as JSON, so that a job meets here what it will meet on a queue with a server."""

    id: str
    name: str
    args: str
    delay: float
    request_id: str | None


class InProcessQueue(Queue):
    """Runs jobs in this process, a few at a time, each up to `attempts` times with a growing pause.

    What is waiting when the process is killed is lost, and so is what is not yet due when it stops; a queue that
    survives comes with the jobs piece.

    Args:
        functions: every job that may be queued.
        attempts: how often a job is tried that does not say itself.
        concurrency: how many jobs run at once; fewer than the database has connections, so that requests have some.
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
        """Whether jobs start at the commit; else they wait for `drain` (tests want that)."""

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
        )
        after_commit(session, lambda: self._submit(job))
        return job.id

    async def drain(self) -> None:
        """See `Queue.drain`."""
        while self._backlog or self._tasks:
            while self._backlog:
                job = self._backlog.popleft()
                self._waiting.discard(job.id)
                await self._start(self._attempt_all(job, pausing=False))
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def close(self, within: timedelta) -> None:
        """Finishes what is due, tries once more what was to be tried again, and tells in the log what is lost.

        Args:
            within: how long all of that may take; what is still running then is cancelled.
        """
        self._closing.set()
        clock = asyncio.get_running_loop().time
        deadline = clock() + within.total_seconds()
        # What runs may queue more, which counts as due.
        while self._tasks and (left := deadline - clock()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        late = tuple(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    @asynccontextmanager
    async def running(self, *, background: bool) -> AsyncIterator[None]:  # noqa: ARG002 - commands' jobs run here, too
        """See `Queue.running`."""
        try:
            yield
        finally:
            await self.close(CLOSING_TIME)

    def _submit(self, job: _Job) -> None:
        if job.id in self._waiting:
            return
        self._waiting.add(job.id)
        if not self.eager:
            self._backlog.append(job)
            return
        task = self._start(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _start(work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        # A job is not part of the request that queued it: it begins with nothing of what that had around it.
        return asyncio.create_task(work, context=Context())

    async def _run(self, job: _Job) -> None:
        try:
            if job.delay and not await self._pause(job.delay):
                _lost(job, "it is not due yet")
                return
            self._waiting.discard(job.id)
            await self._attempt_all(job, pausing=True)
        except asyncio.CancelledError:
            _lost(job, "it took too long")
            raise

    async def _attempt_all(self, job: _Job, *, pausing: bool) -> None:
        options = self._options[job.name]
        attempts = options.attempts or self._attempts
        bind_contextvars(job=job.name, job_id=job.id)
        if job.request_id:
            bind_contextvars(request_id=job.request_id)
        for attempt in range(1, attempts + 1):
            # The last attempt comes early when the process stops: better than none.
            final = attempt == attempts or self._closing.is_set()
            if await self._attempt(job, attempt, options, final=final) or final:
                return
            if pausing:
                await self._pause(backoff(attempt, first=FIRST_PAUSE, longest=LONGEST_PAUSE).total_seconds())

    async def _attempt(self, job: _Job, attempt: int, options: JobOptions, *, final: bool) -> bool:
        try:
            async with self._slots, asyncio.timeout(options.timeout.total_seconds()):
                await self._functions[job.name](self._runtime, *json.loads(job.args))
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if is_cancelled():
                raise
            if final:
                logger.exception("job_failed", attempts=attempt)
            else:
                logger.warning("job_retried", attempt=attempt, error=type(error).__name__)
            return False
        return True

    async def _pause(self, seconds: float) -> bool:
        """Waits; whether the whole time has passed without the queue being closed."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return True
        return False


def _lost(job: _Job, why: str) -> None:
    logger.error("job_lost", job=job.name, job_id=job.id, reason=f"The process stops and {why}.")
