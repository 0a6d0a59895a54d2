"""Jobs are rows from the transaction that queues them to their end."""

from datetime import timedelta

import pytest
import structlog
from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from structlog.testing import capture_logs

from app.core.context import RequestContext, TraceIds, current_request, current_trace
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.jobs.names import job_name
from app.core.manifest import Cron
from app.core.ports.operations import JobAttempt
from app.core.ports.queue import JobFailedError
from app.core.runtime import Runtime
from app.jobs.models import Job, JobState
from app.jobs.operations import list_jobs
from tests.core.telemetry import Recorder
from tests.jobs.sample_jobs import (
    JOBS,
    Work,
    enqueue,
    fail,
    fail_oddly,
    hang,
    make_runtime,
    note,
    note_surroundings,
    outbox_of,
    queue_another,
)


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with an outbox whose jobs run only in `drain`."""
    return make_runtime(database)


@pytest.fixture
def work(runtime: Runtime) -> Work:
    """The record of the jobs' work."""
    return runtime.resource(Work)


async def all_jobs(runtime: Runtime) -> list[Job]:
    """Every job, the oldest first."""
    async with runtime.database.reading() as session:
        return list((await session.scalars(select(Job).order_by(col(Job.id)))).all())


async def enqueue_and_fail(runtime: Runtime) -> None:
    """Queue jobs in a transaction that is rolled back."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, note, "one")
        await runtime.queue.enqueue(session, note, "two", job_id="two")
        raise LookupError


class TestEnqueue:
    async def test_a_job_is_a_row_of_the_transaction(self, runtime: Runtime, work: Work) -> None:
        id_ = await enqueue(runtime, note, {"a": [1, None]})

        (job,) = await all_jobs(runtime)
        assert (str(job.id), job.name, job.args) == (id_, "tests.note", [{"a": [1, None]}])
        assert (job.state, job.attempts, job.max_attempts) == (JobState.WAITING, 0, 10)
        await runtime.queue.drain()
        assert work.done == [{"a": [1, None]}]
        (job,) = await all_jobs(runtime)
        assert (job.state, job.attempts, job.due_at) == (JobState.DONE, 1, None)
        assert job.started_at is not None

    async def test_a_row_holds_megabytes_that_no_list_reads(self, runtime: Runtime, work: Work) -> None:
        large = "\0é" * 2**21
        await enqueue(runtime, note, large)
        (listed,), _ = await list_jobs(runtime)
        await runtime.queue.drain()

        assert inspect(listed).unloaded == {"args"}
        assert work.done == [large]

    async def test_a_rollback_queues_no_job(self, runtime: Runtime, work: Work) -> None:
        with pytest.raises(LookupError):
            await enqueue_and_fail(runtime)
        await runtime.queue.drain()

        assert work.done == []
        assert await all_jobs(runtime) == []

    async def test_a_duplicate_id_is_dropped_while_the_first_job_waits(self, runtime: Runtime, work: Work) -> None:
        assert await enqueue(runtime, note, "one", job_id="same") == "same"
        assert await enqueue(runtime, note, "two", job_id="same") == "same"
        await runtime.queue.drain()
        await enqueue(runtime, note, "three", job_id="same")
        await runtime.queue.drain()

        assert work.done == ["one", "three"]

    async def test_one_that_waits_for_another_attempt_drops_no_other(self, runtime: Runtime) -> None:
        await enqueue(runtime, fail, job_id="same")
        (first,) = await all_jobs(runtime)
        runtime.resource(Work).failures = 1
        await outbox_of(runtime).runner.run(first.id)
        await enqueue(runtime, fail, job_id="same")
        await runtime.queue.drain()

        assert [job.state for job in await all_jobs(runtime)] == [JobState.DONE] * 2

    async def test_later_means_not_before(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await runtime.queue.enqueue_in(session, timedelta(hours=1), note, "one")
        (job,) = await all_jobs(runtime)

        assert job.run_at == job.due_at
        assert timedelta(minutes=59) < job.run_at - utc_now() <= timedelta(hours=1)

    async def test_an_unlisted_function_is_named(self, runtime: Runtime, session: AsyncSession) -> None:
        async def stray(runtime: Runtime) -> None:
            """Is in no manifest."""

        with pytest.raises(LookupError, match=r"\.stray is in no module's `jobs`"):
            await runtime.queue.enqueue(session, stray)

    @pytest.mark.parametrize("argument", [object(), float("nan"), {1, 2}])
    async def test_arguments_must_be_json(self, runtime: Runtime, session: AsyncSession, argument: object) -> None:
        with pytest.raises(TypeError):
            await runtime.queue.enqueue(session, note, argument)  # type: ignore[arg-type]  # what this is about

    async def test_an_id_has_an_end(self, runtime: Runtime, session: AsyncSession) -> None:
        with pytest.raises(ValueError, match="1 to 200 characters"):
            await runtime.queue.enqueue(session, note, "one", job_id="x" * 201)

    @pytest.mark.parametrize("delay", [0, 60])
    async def test_a_reading_session_cannot_queue_jobs(self, runtime: Runtime, delay: int) -> None:
        async with runtime.database.reading() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                await runtime.queue.enqueue(session, note, "one", defer_by=timedelta(seconds=delay))

    def test_a_job_by_the_clock_has_to_be_a_job(self, database: Database) -> None:
        async def stray(runtime: Runtime) -> None:
            """Is in no manifest."""

        with pytest.raises(LookupError, match=r"\.stray is in no module's `jobs`"):
            make_runtime(database, crons=(Cron(function=stray),))


class TestDrain:
    async def test_runs_jobs_that_jobs_queue_but_not_deferred_ones(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, queue_another)
        await enqueue(runtime, note, "deferred", delay=3600)
        await runtime.queue.drain()

        assert work.done == ["deferred", "second"]

    async def test_raises_failures_after_all_jobs_have_run(self, runtime: Runtime, work: Work) -> None:
        work.failures = 100
        id_ = await enqueue(runtime, fail)
        await enqueue(runtime, note, "other")
        with pytest.raises(ExceptionGroup, match=f"Jobs failed: {job_name(fail)}") as raised:
            await runtime.queue.drain()

        (failure,) = raised.value.exceptions
        assert isinstance(failure, JobFailedError)
        assert (failure.name, failure.job_id) == (job_name(fail), id_)
        assert work.done[-1] == "other"

    async def test_reports_its_attempts_to_telemetry(self, runtime: Runtime, work: Work) -> None:
        work.failures, recorder = 1, Recorder()
        token = current_trace.set(TraceIds(trace_id="0" * 31 + "1", span_id="0" * 15 + "2", sampled=False))
        await enqueue(runtime, fail)
        current_trace.reset(token)
        with runtime.listen(recorder):
            await runtime.queue.drain()

        attempts = recorder.of(JobAttempt)
        assert [(each.name, each.attempt, type(each.error)) for each in attempts] == [
            (job_name(fail), 1, LookupError),
            (job_name(fail), 2, type(None)),
        ]
        assert {each.traceparent for each in attempts} == {f"00-{1:032x}-{2:016x}-00"}


class TestFailure:
    async def test_a_failed_job_is_retried(self, runtime: Runtime, work: Work) -> None:
        work.failures = 3
        await enqueue(runtime, fail)
        await runtime.queue.drain()

        assert work.done == ["tried"] * 4
        (job,) = await all_jobs(runtime)
        assert (job.state, job.attempts, job.error) == (JobState.DONE, 4, None)

    async def test_after_the_last_attempt_a_job_is_dead_with_a_reason(self, runtime: Runtime, work: Work) -> None:
        work.failures = 100
        await enqueue(runtime, fail)
        with capture_logs() as logs:
            await runtime.queue.drain(raises=False)

        assert work.done == ["tried"] * 10
        (job,) = await all_jobs(runtime)
        assert (job.state, job.attempts, job.due_at) == (JobState.DEAD, 10, None)
        assert job.error == "LookupError: nothing at [email]"
        assert [entry["event"] for entry in logs] == ["job_retried"] * 9 + ["job_failed"]

    async def test_a_job_that_takes_too_long_is_ended(self, runtime: Runtime) -> None:
        await enqueue(runtime, hang)
        await runtime.queue.drain(raises=False)

        (job,) = await all_jobs(runtime)
        assert (job.state, job.attempts, job.error) == (JobState.DEAD, 2, "TimeoutError")

    @pytest.mark.parametrize("how", ["exits", "waits for what is cancelled"])
    async def test_a_job_cannot_end_its_worker_or_run_forever(self, runtime: Runtime, how: str) -> None:
        await enqueue(runtime, fail_oddly, how)
        await runtime.queue.drain(raises=False)

        (job,) = await all_jobs(runtime)
        assert (job.state, job.attempts) == (JobState.DEAD, 10)

    async def test_of_a_missing_function_is_reported(self, runtime: Runtime, database: Database) -> None:
        await enqueue(runtime, note, "one")
        without = make_runtime(database, jobs=tuple(job for job in JOBS if job is not note))
        await without.queue.drain(raises=False)

        (job,) = await all_jobs(runtime)
        assert (job.state, job.error) == (JobState.DEAD, "LookupError: tests.note is in no module's `jobs`.")


class TestSurroundings:
    async def test_a_job_has_the_id_of_its_request_only(self, runtime: Runtime, work: Work) -> None:
        token = current_request.set(RequestContext("abc"))
        structlog.contextvars.bind_contextvars(left="over")
        try:
            id_ = await enqueue(runtime, note_surroundings)
        finally:
            structlog.contextvars.clear_contextvars()
            current_request.reset(token)
        await runtime.queue.drain()

        name = job_name(note_surroundings)
        assert work.done == [({"job": name, "job_id": id_, "request_id": "abc"}, None)]
