"""The port for background jobs."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import AfterValidator
from sqlalchemy.ext.asyncio import AsyncSession

type Json = bool | int | float | str | Sequence[Json] | dict[str, Json] | None


def _uuid(value: str) -> str:
    try:
        UUID(value)
    except ValueError:
        raise ValueError("must be a UUID") from None
    return value


UuidText = Annotated[str, AfterValidator(_uuid)]
"""A UUID as text, since JSON has none. `app jobs run` checks arguments that are annotated with it."""

type JobFunction = Callable[..., Awaitable[object]]
"""A coroutine function that takes the runtime, followed by JSON values.

It returns JSON. A queue that stores jobs keeps the result for administrators; the in-process queue drops it.
"""


class JobFailedError(Exception):
    """A job failed at its last attempt. The job's own exception is the cause."""

    def __init__(self, name: str, job_id: str, cause: BaseException) -> None:
        super().__init__(f"{name} ({job_id}) failed at its last attempt: {type(cause).__name__}: {cause}")
        self.name = name
        self.job_id = job_id
        self.__cause__ = cause


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

    async def drain(self, *, raises: bool = True) -> None:
        """Run every waiting job, due or not, one after another, until the queue is empty.

        Includes the jobs that those jobs enqueue. For tests, where jobs don't start by themselves.

        Args:
            raises: whether dead jobs raise. A test that expects a job to fail passes `False`.

        Raises:
            ExceptionGroup: a `JobFailedError` per job that failed at its last attempt. All the others did run.
        """
        ...

    def running(self, *, background: bool) -> AbstractAsyncContextManager[None]:
        """Run the queue: opened after every module's lifespan, closed before the first of them closes.

        Args:
            background: whether this process runs jobs by itself; tests and commands don't.
        """
        ...


def raise_failures(failures: Sequence[JobFailedError]) -> None:
    """Raise the failures of `drain`, if there are any."""
    if failures:
        names = ", ".join(sorted({failure.name for failure in failures}))
        raise ExceptionGroup(f"Jobs failed: {names}", failures)


def to_json(name: str, args: Sequence[Json]) -> str:
    """Return a job's arguments as JSON text.

    Raises:
        TypeError: an argument is not JSON. The message names the job.
    """
    try:
        return json.dumps(args, allow_nan=False)
    except ValueError as error:
        raise TypeError(f"The arguments of {name} are not JSON: {error}") from error
