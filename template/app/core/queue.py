"""The port for work that is done later, and its null implementation: in this process, after the commit."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Concatenate, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.database import after_commit

if TYPE_CHECKING:
    from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

type Json = None | bool | int | float | str | Sequence[Json] | dict[str, Json]
type JobFunction = Callable[Concatenate["Runtime", ...], Awaitable[None]]
"""A coroutine function; its first argument is the runtime, the others are JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A job that runs by the clock (UTC). `None` means every one."""

    function: JobFunction
    minute: int | None = 0
    hour: int | None = None
    weekday: int | None = None


def job_name(function: JobFunction) -> str:
    """The name under which a job is queued: its module's folder and its own, as in `users.send_welcome`."""
    package = function.__module__.removeprefix("app.").split(".")[0]
    return f"{package}.{function.__name__}"


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
        """
        ...


class InProcessQueue:
    """Runs jobs in this process, one after another, each up to `attempts` times with a growing pause.

    What is waiting when the process is killed is lost; a queue that survives comes with the jobs piece. A graceful
    shutdown finishes what has been queued.
    """

    def __init__(self, runtime: "Runtime", functions: Sequence[JobFunction], *, attempts: int = 5) -> None:
        self._runtime = runtime
        self._functions = {job_name(function): function for function in functions}
        self._attempts = attempts
        self._waiting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._backlog: list[tuple[str, str, str, float]] = []
        self.eager = True
        """Whether jobs start at the commit; else they wait for `drain` (tests want that)."""

    def function(self, name: str) -> JobFunction:
        """The job of that name.

        Raises:
            LookupError: no module lists it.
        """
        if name not in self._functions:
            raise LookupError(f"{name} is in no module's `jobs`; add it to the manifest.")
        return self._functions[name]

    async def enqueue(
        self,
        session: AsyncSession,
        function: JobFunction,
        *args: Json,
        defer_by: timedelta | None = None,
        job_id: str | None = None,
    ) -> str:
        """See `Queue.enqueue`."""
        name = job_name(function)
        self.function(name)
        job_id = job_id or str(uuid7())
        job = (job_id, name, json.dumps(args), defer_by.total_seconds() if defer_by else 0.0)
        after_commit(session, lambda: self._submit(job))
        return job_id

    def _submit(self, job: tuple[str, str, str, float]) -> None:
        if job[0] in self._waiting:
            return
        self._waiting.add(job[0])
        self._backlog.append(job)
        if self.eager:
            self._start_backlog()

    def _start_backlog(self) -> None:
        while self._backlog:
            task = asyncio.create_task(self._run(*self._backlog.pop(0)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, job_id: str, name: str, args: str, delay: float) -> None:
        await asyncio.sleep(delay)
        self._waiting.discard(job_id)
        for attempt in range(1, self._attempts + 1):
            try:
                await self._functions[name](self._runtime, *json.loads(args))
            except Exception as error:
                if attempt == self._attempts:
                    logger.exception("job_failed", job=name, job_id=job_id, attempts=attempt)
                    return
                logger.warning("job_retried", job=name, job_id=job_id, attempt=attempt, error=type(error).__name__)
                await asyncio.sleep(2.0 ** (attempt - 1))
            else:
                return

    async def drain(self) -> None:
        """Runs all that is queued, and what those jobs queue, to the end."""
        while self._backlog or self._tasks:
            self._start_backlog()
            await asyncio.gather(*self._tasks)
