"""Queueing jobs, and running the ones that are due."""

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.context import RequestContext, current_request
from app.core.jobs.names import job_name
from app.core.ports.queue import JobFailedError
from app.core.runtime import Runtime
from tests.core.jobs.in_process.sample_jobs import (
    Work,
    enqueue,
    enqueue_and_fail,
    fail,
    fail_oddly,
    note,
    note_surroundings,
    queue_another,
    queue_of,
)


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

    async def test_a_duplicate_id_is_dropped_while_the_first_job_waits(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, note, "one", job_id="same")
        await enqueue(runtime, note, "two", job_id="same")
        await queue_of(runtime).drain()
        await enqueue(runtime, note, "three", job_id="same")
        await queue_of(runtime).drain()
        assert work.done == ["one", "three"]

    async def test_an_unlisted_function_is_named(self, runtime: Runtime, session: AsyncSession) -> None:
        async def stray(runtime: Runtime) -> None:
            """Is in no manifest."""

        with pytest.raises(LookupError, match=r"\.stray is in no module's `jobs`"):
            await runtime.queue.enqueue(session, stray)

    @pytest.mark.parametrize("argument", [object(), float("nan"), {1, 2}])
    async def test_arguments_must_be_json(self, runtime: Runtime, session: AsyncSession, argument: object) -> None:
        with pytest.raises(TypeError):
            await runtime.queue.enqueue(session, note, argument)  # type: ignore[arg-type]  # what this is about

    async def test_a_reading_session_cannot_queue_jobs(self, runtime: Runtime) -> None:
        async with runtime.database.reading() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                await runtime.queue.enqueue(session, note, "one")


class TestDrain:
    async def test_runs_jobs_that_jobs_queue_but_not_deferred_ones(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, queue_another)
        await enqueue(runtime, note, "deferred", delay=3600)
        await queue_of(runtime).drain()
        assert work.done == ["deferred", "second"]

    async def test_raises_failures_after_all_jobs_have_run(self, runtime: Runtime, work: Work) -> None:
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

    async def test_does_not_raise_for_a_job_that_succeeds_later(self, runtime: Runtime, work: Work) -> None:
        work.failures = 4
        await enqueue(runtime, fail)
        await runtime.queue.drain()
        assert work.done == ["tried"] * 5


class TestRetry:
    async def test_a_failed_job_is_retried(self, runtime: Runtime, work: Work) -> None:
        work.failures = 3
        await enqueue(runtime, fail)
        await queue_of(runtime).drain()
        assert work.done == ["tried"] * 4

    @pytest.mark.parametrize("how", ["exits", "waits for what is cancelled"])
    async def test_a_failed_job_does_not_affect_others(
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
    async def test_a_job_has_the_id_of_its_request_only(self, runtime: Runtime, work: Work) -> None:
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
