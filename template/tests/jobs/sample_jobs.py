"""Jobs that tests queue, and the outbox that they are queued in."""

import asyncio
import sys
from datetime import timedelta

import structlog
from sqlalchemy import update

from app.core.context import current_request
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.jobs.options import job_options
from app.core.lifecycle import create_runtime
from app.core.manifest import Cron, Module
from app.core.module import module as core
from app.core.ports.queue import JobFunction, Json
from app.core.runtime import Runtime
from app.jobs.broker import Broker, WorkerOptions
from app.jobs.models import Job, JobState
from app.jobs.module import module as jobs_module
from app.jobs.outbox import Outbox
from app.jobs.timing import QueueTiming

QUICK = QueueTiming(
    lease=timedelta(seconds=2),
    handover_delay=timedelta(),
    poll_interval=timedelta(milliseconds=10),
    max_poll_interval=timedelta(milliseconds=20),
    first_retry_delay=timedelta(milliseconds=1),
    max_retry_delay=timedelta(milliseconds=2),
)


class Work:
    """The work that the jobs have done, and the gate that they wait for."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.failures = 0
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()

    def note(self, item: object) -> None:
        """Something was done."""
        self.done.append(item)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Wait until the number of finished jobs is reached."""
        async with asyncio.timeout(10):
            while len(self.done) < count:
                self.changed.clear()
                await self.changed.wait()


async def note(runtime: Runtime, item: Json) -> None:
    """Notes that it ran."""
    runtime.resource(Work).note(item)


async def fail(runtime: Runtime) -> None:
    """Fail as many times as `failures` says."""
    work = runtime.resource(Work)
    work.note("tried")
    if work.failures > 0:
        work.failures -= 1
        raise LookupError("nothing at me@example.com\nmore")


@job_options(attempts=2, timeout=timedelta(milliseconds=10))
async def hang(runtime: Runtime) -> None:
    """Never ends by itself."""
    runtime.resource(Work).note("hangs")
    await asyncio.Event().wait()


async def wait(runtime: Runtime) -> None:
    """Wait for the gate."""
    work = runtime.resource(Work)
    work.note("waits")
    await work.gate.wait()
    work.note("waited")


async def fail_oddly(runtime: Runtime, how: str) -> None:
    """Raise an error that is not an `Exception`."""
    runtime.resource(Work).note(how)
    if how == "exits":
        sys.exit(1)
    other = asyncio.create_task(asyncio.sleep(60))
    other.cancel()
    await other


async def note_surroundings(runtime: Runtime) -> None:
    """Record the context of a job's log lines."""
    runtime.resource(Work).note((structlog.contextvars.get_contextvars(), current_request.get()))


async def queue_another(runtime: Runtime) -> None:
    """Queue another job."""
    await enqueue(runtime, note, "second")


JOBS: tuple[JobFunction, ...] = (note, fail, fail_oddly, hang, wait, note_surroundings, queue_another)


def make_runtime(
    database: Database,
    *,
    broker: Broker | None = None,
    worker: WorkerOptions | None = None,
    crons: tuple[Cron, ...] = (),
    jobs: tuple[JobFunction, ...] = JOBS,
) -> Runtime:
    """A runtime with the jobs above and an outbox that loses no time."""
    module = Module(name="small", models=(Job,), settings=jobs_module.settings, jobs=jobs, crons=crons)
    made = create_runtime([core, module], database=database)
    made.provide(Work, Work())
    made.queue = Outbox(made, (*jobs_module.jobs, *jobs), crons, broker=broker, worker=worker, timing=QUICK)
    return made


def outbox_of(runtime: Runtime) -> Outbox:
    """The runtime's queue."""
    assert isinstance(runtime.queue, Outbox)
    return runtime.queue


async def enqueue(runtime: Runtime, job: JobFunction, *args: Json, job_id: str | None = None, delay: float = 0) -> str:
    """Queue a job in a separate transaction."""
    async with runtime.database.transaction() as session:
        return await runtime.queue.enqueue(session, job, *args, job_id=job_id, defer_by=timedelta(seconds=delay))


async def enqueue_dead_and_waiting(runtime: Runtime) -> tuple[str, str]:
    """Return the ids of a dead job and of one that waits for a worker. The connections are closed afterwards."""
    runtime.resource(Work).failures = 10
    dead = await enqueue(runtime, fail)
    await runtime.queue.drain(raises=False)
    waiting = await enqueue(runtime, note, "secret")
    await runtime.database.dispose()
    return dead, waiting


async def age(runtime: Runtime) -> None:
    """Let so much time pass that a sweep handles all unfinished jobs."""
    past = utc_now() - timedelta(hours=1)
    async with runtime.database.transaction() as session:
        await session.execute(
            update(Job).where(Job.state.in_([JobState.WAITING, JobState.RUNNING])).values(due_at=past, run_at=past)  # type: ignore[attr-defined]  # a column
        )
