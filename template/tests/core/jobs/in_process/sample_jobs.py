"""Jobs that record what they did."""

import asyncio
import sys
from datetime import timedelta

import structlog

from app.core.context import current_request
from app.core.jobs.in_process import InProcessQueue
from app.core.ports.queue import JobFunction
from app.core.runtime import Runtime

SOON = timedelta(seconds=5)


class Work:
    """The work that the jobs have done, and the gate that they wait for."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.running = 0
        self.most = 0
        self.failures = 0
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()

    def note(self, item: object) -> None:
        """Something was done."""
        self.done.append(item)
        self.changed.set()


async def note(runtime: Runtime, item: str) -> None:
    """Notes that it ran."""
    runtime.resource(Work).note(item)


async def fail(runtime: Runtime) -> None:
    """Fail as many times as `failures` says."""
    work = runtime.resource(Work)
    work.note("tried")
    if work.failures > 0:
        work.failures -= 1
        raise LookupError


async def fail_oddly(runtime: Runtime, how: str) -> None:
    """Raise an error that is not an `Exception`."""
    runtime.resource(Work).note(how)
    if how == "exits":
        sys.exit(1)
    other = asyncio.create_task(asyncio.sleep(60))
    other.cancel()
    await other


async def wait(runtime: Runtime) -> None:
    """Wait for the gate."""
    work = runtime.resource(Work)
    work.running += 1
    work.most = max(work.most, work.running)
    work.changed.set()
    try:
        await work.gate.wait()
    finally:
        work.running -= 1
    work.note("waited")


async def note_surroundings(runtime: Runtime) -> None:
    """Record the context of a job's log lines."""
    runtime.resource(Work).note((structlog.contextvars.get_contextvars(), current_request.get()))


async def queue_another(runtime: Runtime) -> None:
    """Queue another job."""
    await enqueue(runtime, note, "second")


JOBS: tuple[JobFunction, ...] = (note, fail, fail_oddly, wait, note_surroundings, queue_another)


def queue_of(runtime: Runtime) -> InProcessQueue:
    """The runtime's queue."""
    assert isinstance(runtime.queue, InProcessQueue)
    return runtime.queue


async def enqueue(runtime: Runtime, job: JobFunction, *args: str, job_id: str | None = None, delay: float = 0) -> None:
    """Queue a job in a separate transaction."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, job, *args, job_id=job_id, defer_by=timedelta(seconds=delay))


async def enqueue_and_fail(runtime: Runtime) -> None:
    """Queue a job in a transaction that is rolled back."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, note, "one")
        raise LookupError
