"""The queue that runs in this process."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from app.core.context import RequestContext, current_request
from app.core.db.database import Database
from app.core.jobs.in_process import InProcessQueue
from app.core.jobs.names import job_name
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.core.module import module as core
from app.core.ports.queue import JobFailedError, JobFunction
from app.core.runtime import Runtime

SOON = timedelta(seconds=5)


class Work:
    """What the jobs below have done, and when they may go on."""

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
    """Fails as often as it is told to."""
    work = runtime.resource(Work)
    work.note("tried")
    if work.failures > 0:
        work.failures -= 1
        raise LookupError


async def fail_oddly(runtime: Runtime, how: str) -> None:
    """Fails with something that is no `Exception`."""
    runtime.resource(Work).note(how)
    if how == "exits":
        sys.exit(1)
    other = asyncio.create_task(asyncio.sleep(60))
    other.cancel()
    await other


async def wait(runtime: Runtime) -> None:
    """Waits for the gate."""
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
    """Notes what a log line of a job says of where it comes from."""
    runtime.resource(Work).note((structlog.contextvars.get_contextvars(), current_request.get()))


async def queue_another(runtime: Runtime) -> None:
    """Queues a job in its turn."""
    await enqueue(runtime, note, "second")


JOBS: tuple[JobFunction, ...] = (note, fail, fail_oddly, wait, note_surroundings, queue_another)


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with the jobs above."""
    made = create_runtime([core, Module(name="small", jobs=JOBS)], database=database)
    made.provide(Work, Work())
    queue_of(made).eager = False
    return made


@pytest.fixture
def work(runtime: Runtime) -> Work:
    """What the jobs do."""
    return runtime.resource(Work)


@pytest.fixture
async def eager(runtime: Runtime) -> AsyncIterator[InProcessQueue]:
    """The queue as it works outside of tests."""
    queue = queue_of(runtime)
    queue.eager = True
    yield queue
    runtime.resource(Work).gate.set()
    await queue.close(SOON)


@pytest.fixture
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged."""
    with capture_logs() as captured:
        yield captured


def queue_of(runtime: Runtime) -> InProcessQueue:
    """The runtime's queue."""
    assert isinstance(runtime.queue, InProcessQueue)
    return runtime.queue


async def enqueue(runtime: Runtime, job: JobFunction, *args: str, job_id: str | None = None, delay: float = 0) -> None:
    """Queues a job in a transaction of its own."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, job, *args, job_id=job_id, defer_by=timedelta(seconds=delay))


class TestEnqueue:
    async def test_jobs_leave_when_the_transaction_commits(self, runtime: Runtime, work: Work) -> None:
        async with runtime.database.transaction() as session:
            await runtime.queue.enqueue(session, note, "one")
            await queue_of(runtime).drain()
            assert work.done == []
        await queue_of(runtime).drain()
        assert work.done == ["one"]

    async def test_jobs_are_dropped_on_rollback(self, runtime: Runtime, work: Work) -> None:
        with pytest.raises(LookupError):
            await enqueue_and_fail(runtime)
        await queue_of(runtime).drain()
        assert work.done == []

    async def test_a_second_one_with_the_same_id_is_dropped_while_the_first_waits(
        self, runtime: Runtime, work: Work
    ) -> None:
        await enqueue(runtime, note, "one", job_id="same")
        await enqueue(runtime, note, "two", job_id="same")
        await queue_of(runtime).drain()
        await enqueue(runtime, note, "three", job_id="same")
        await queue_of(runtime).drain()
        assert work.done == ["one", "three"]

    async def test_a_function_that_no_module_lists_is_named(self, runtime: Runtime, session: AsyncSession) -> None:
        async def stray(runtime: Runtime) -> None:
            """Is in no manifest."""

        with pytest.raises(LookupError, match=r"\.stray is in no module's `jobs`"):
            await runtime.queue.enqueue(session, stray)

    @pytest.mark.parametrize("argument", [object(), float("nan"), {1, 2}])
    async def test_arguments_have_to_be_json(self, runtime: Runtime, session: AsyncSession, argument: object) -> None:
        with pytest.raises(TypeError):
            await runtime.queue.enqueue(session, note, argument)  # type: ignore[arg-type]  # what this is about

    async def test_a_reading_session_queues_nothing(self, runtime: Runtime) -> None:
        async with runtime.database.reading() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                await runtime.queue.enqueue(session, note, "one")


async def enqueue_and_fail(runtime: Runtime) -> None:
    """Queues a job in a transaction that is rolled back."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, note, "one")
        raise LookupError


class TestDrain:
    async def test_runs_what_jobs_queue_and_does_not_wait_for_what_is_deferred(
        self, runtime: Runtime, work: Work
    ) -> None:
        await enqueue(runtime, queue_another)
        await enqueue(runtime, note, "deferred", delay=3600)
        await queue_of(runtime).drain()
        assert work.done == ["deferred", "second"]

    async def test_raises_the_failures_after_all_jobs_ran(self, runtime: Runtime, work: Work) -> None:
        work.failures = 100
        await enqueue(runtime, fail, job_id="broken")
        await enqueue(runtime, note, "other")
        with pytest.raises(ExceptionGroup, match=f"Jobs failed: {job_name(fail)}") as raised:
            await runtime.queue.drain()

        (failure,) = raised.value.exceptions
        assert isinstance(failure, JobFailedError)
        assert (failure.name, failure.job_id) == (job_name(fail), "broken")
        assert isinstance(failure.__cause__, LookupError)
        assert work.done[-1] == "other"

    async def test_raises_nothing_for_a_job_that_succeeds_in_the_end(self, runtime: Runtime, work: Work) -> None:
        work.failures = 4
        await enqueue(runtime, fail)
        await runtime.queue.drain()
        assert work.done == ["tried"] * 5


class TestRetry:
    async def test_a_job_that_fails_is_tried_again(self, runtime: Runtime, work: Work) -> None:
        work.failures = 3
        await enqueue(runtime, fail)
        await queue_of(runtime).drain()
        assert work.done == ["tried"] * 4

    @pytest.mark.parametrize("how", ["exits", "waits for what is cancelled"])
    async def test_a_job_ends_nothing_but_itself(
        self, runtime: Runtime, work: Work, how: str, logs: list[structlog.typing.EventDict]
    ) -> None:
        await enqueue(runtime, fail_oddly, how)
        await queue_of(runtime).drain(raises=False)
        assert work.done == [how] * 5
        assert [entry["event"] for entry in logs] == ["job_retried"] * 4 + ["job_failed"]

    async def test_the_last_failure_is_logged(
        self, runtime: Runtime, work: Work, logs: list[structlog.typing.EventDict]
    ) -> None:
        work.failures = 100
        await enqueue(runtime, fail)
        await queue_of(runtime).drain(raises=False)
        assert work.done == ["tried"] * 5
        assert [entry["event"] for entry in logs] == ["job_retried"] * 4 + ["job_failed"]


class TestSurroundings:
    async def test_a_job_knows_its_request_s_id_and_nothing_else_of_it(self, runtime: Runtime, work: Work) -> None:
        token = current_request.set(RequestContext("abc"))
        structlog.contextvars.bind_contextvars(left="over")
        try:
            await enqueue(runtime, note_surroundings, job_id="one")
        finally:
            structlog.contextvars.clear_contextvars()
            current_request.reset(token)
        await queue_of(runtime).drain()
        name = job_name(note_surroundings)
        assert work.done == [({"job": name, "job_id": "one", "request_id": "abc"}, None)]


@pytest.mark.usefixtures("eager")
class TestEager:
    async def test_jobs_start_by_themselves(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, note, "one")
        await asyncio.wait_for(work.changed.wait(), 5)
        assert work.done == ["one"]

    async def test_only_a_few_run_at_once(self, runtime: Runtime, work: Work, eager: InProcessQueue) -> None:
        for _ in range(10):
            await enqueue(runtime, wait)
        await asyncio.wait_for(work.changed.wait(), 5)
        work.gate.set()
        await eager.drain()
        assert work.done == ["waited"] * 10
        assert work.most == 4


class TestClose:
    async def test_finishes_what_runs(self, runtime: Runtime, work: Work, eager: InProcessQueue) -> None:
        await enqueue(runtime, wait)
        await asyncio.wait_for(work.changed.wait(), 5)
        closing = asyncio.create_task(eager.close(SOON))
        work.gate.set()
        await closing
        assert work.done == ["waited"]

    async def test_tells_of_what_was_not_due(
        self, runtime: Runtime, work: Work, eager: InProcessQueue, logs: list[structlog.typing.EventDict]
    ) -> None:
        await enqueue(runtime, note, "later", delay=3600, job_id="one")
        await eager.close(SOON)
        assert work.done == []
        (entry,) = logs
        assert (entry["event"], entry["job_id"]) == ("job_lost", "one")

    async def test_tries_once_more_what_was_to_be_tried_again(
        self, runtime: Runtime, work: Work, eager: InProcessQueue
    ) -> None:
        work.failures = 1
        await enqueue(runtime, fail)
        await asyncio.wait_for(work.changed.wait(), 5)
        await eager.close(SOON)
        assert work.done == ["tried"] * 2

    async def test_cancels_what_takes_too_long_and_tells_of_it(
        self, runtime: Runtime, work: Work, eager: InProcessQueue, logs: list[structlog.typing.EventDict]
    ) -> None:
        await enqueue(runtime, wait, job_id="one")
        await asyncio.wait_for(work.changed.wait(), 5)
        await eager.close(timedelta(milliseconds=10))
        assert work.running == 0
        (entry,) = logs
        assert (entry["event"], entry["job_id"]) == ("job_lost", "one")

    async def test_leaves_what_waits_for_drain(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, note, "one")
        await queue_of(runtime).close(SOON)
        assert work.done == []
