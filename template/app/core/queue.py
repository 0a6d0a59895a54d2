"""The port for work that is done later, and its null implementation: in this process, after the commit."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Concatenate, Final, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars
from uuid_utils.compat import uuid7

from app.core.context import current_request_id
from app.core.database import after_commit
from app.core.job_names import by_job_name, listed_name
from app.core.job_options import JobOptions, options_of
from app.kit.backoff import backoff
from app.kit.cancellation import is_cancelled

if TYPE_CHECKING:
    from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

CLOSING_TIME: Final = timedelta(seconds=5)
"""How long a stopping process works on what is queued: Docker kills it after ten seconds, others after thirty."""
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)

type Json = bool | int | float | str | Sequence[Json] | dict[str, Json] | None
type JobFunction = Callable[Concatenate["Runtime", ...], Awaitable[object]]
"""A coroutine function; its first argument is the runtime, the others are JSON.

What it returns is JSON as well: a queue that keeps jobs keeps it with the job, for administrators; this one drops it.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A job that runs by the clock (UTC). `None` means every one."""

    function: JobFunction
    minute: int | None = 0
    hour: int | None = None
    weekday: int | None = None


class Queue(Protocol):
    """Work for later."""

    async def enqueue(
        self,
        session: AsyncSession,
        function: JobFunction,
        *args: Json,
        defer_by: timedelta | None = None,
        job_id: str | None = None,
    ) -> str:
        """Queues `function(runtime, *args)`, to leave when the session's transaction commits.

        Args:
            defer_by: how long to wait at least.
            job_id: a second job with the same id is dropped while the first is waiting.

        Returns:
            The job's id.

        Raises:
            LookupError: no module lists the function in its manifest.
            TypeError: an argument is not JSON.
            RuntimeError: the session only reads, so that nothing will ever be committed.
        """
        ...

    async def enqueue_in(
        self, session: AsyncSession, delay: timedelta, function: JobFunction, *args: Json, job_id: str | None = None
    ) -> str:
        """Queues a job that runs when the delay has passed: `enqueue` with the time first."""
        return await self.enqueue(session, function, *args, defer_by=delay, job_id=job_id)

    async def drain(self) -> None:
        """Runs all that is queued, and what those jobs queue, to the end and without a pause, one after another.

        Due or not. For tests, in which jobs do not start by themselves.
        """
        ...

    def running(self, *, background: bool) -> AbstractAsyncContextManager[None]:
        """Open as long as the process runs, after all modules have opened and until before they close.

        Args:
            background: whether the process works by itself; tests and commands do not.
        """
        ...


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
        self, runtime: "Runtime", functions: Sequence[JobFunction], *, attempts: int = 5, concurrency: int = 4
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


def to_json(name: str, args: Sequence[Json]) -> str:
    """The arguments of the job with the name.

    Raises:
        TypeError: they are not JSON.
    """
    try:
        return json.dumps(args, allow_nan=False)
    except ValueError as error:
        raise TypeError(f"The arguments of {name} are not JSON: {error}") from error


def _lost(job: _Job, why: str) -> None:
    logger.error("job_lost", job=job.name, job_id=job.id, reason=f"The process stops and {why}.")
