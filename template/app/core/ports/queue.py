"""The port for background jobs."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

type Json = bool | int | float | str | Sequence[Json] | dict[str, Json] | None

type JobFunction = Callable[..., Awaitable[object]]
"""A coroutine function that takes the runtime, followed by JSON values.

It returns JSON. A queue that stores jobs keeps the result for administrators; the in-process queue drops it.
"""


class Queue(Protocol):
    """A queue of background jobs."""

    async def enqueue(
        self,
        session: AsyncSession,
        function: JobFunction,
        *args: Json,
        defer_by: timedelta | None = None,
        job_id: str | None = None,
    ) -> str:
        """Enqueue `function(runtime, *args)` when the session's transaction commits.

        Args:
            session: a writing session. On rollback the job is dropped.
            function: a job of some module's manifest.
            args: JSON values.
            defer_by: the minimum delay before the first attempt.
            job_id: deduplicates: while a job with this id is waiting, another one is dropped.

        Returns:
            The job's id.

        Raises:
            LookupError: no module lists the function in its manifest.
            TypeError: an argument is not JSON.
            RuntimeError: the session is read-only and never commits.
        """
        ...

    async def enqueue_in(
        self, session: AsyncSession, delay: timedelta, function: JobFunction, *args: Json, job_id: str | None = None
    ) -> str:
        """Enqueue a job that runs after a delay. The same as `enqueue` with `defer_by`."""
        return await self.enqueue(session, function, *args, defer_by=delay, job_id=job_id)

    async def drain(self) -> None:
        """Run every waiting job, due or not, one after another, until the queue is empty.

        Includes the jobs that those jobs enqueue. For tests, where jobs don't start by themselves.
        """
        ...

    def running(self, *, background: bool) -> AbstractAsyncContextManager[None]:
        """Run the queue: opened after every module's lifespan, closed before the first of them closes.

        Args:
            background: whether this process runs jobs by itself; tests and commands don't.
        """
        ...


def to_json(name: str, args: Sequence[Json]) -> str:
    """Return a job's arguments as JSON text.

    Raises:
        TypeError: an argument is not JSON. The message names the job.
    """
    try:
        return json.dumps(args, allow_nan=False)
    except ValueError as error:
        raise TypeError(f"The arguments of {name} are not JSON: {error}") from error
