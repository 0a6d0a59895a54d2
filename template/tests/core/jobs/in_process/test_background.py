"""Jobs that run in the background, and the end of the application."""

import asyncio
from datetime import timedelta

import pytest
import structlog

from app.core.jobs.in_process import InProcessQueue
from app.core.runtime import Runtime
from tests.core.jobs.in_process.sample_jobs import SOON, Work, enqueue, fail, note, queue_of, wait


@pytest.mark.usefixtures("eager")
class TestEager:
    async def test_jobs_start_automatically(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, note, "one")
        await asyncio.wait_for(work.changed.wait(), 5)
        assert work.done == ["one"]

    async def test_the_number_of_concurrent_jobs_is_limited(
        self, runtime: Runtime, work: Work, eager: InProcessQueue
    ) -> None:
        for _ in range(10):
            await enqueue(runtime, wait)
        await asyncio.wait_for(work.changed.wait(), 5)
        work.gate.set()
        await eager.drain()
        assert work.done == ["waited"] * 10
        assert work.most == 4


class TestClose:
    async def test_finishes_running_jobs(self, runtime: Runtime, work: Work, eager: InProcessQueue) -> None:
        await enqueue(runtime, wait)
        await asyncio.wait_for(work.changed.wait(), 5)
        closing = asyncio.create_task(eager.close(SOON))
        work.gate.set()
        await closing
        assert work.done == ["waited"]

    async def test_logs_jobs_that_were_not_due(
        self, runtime: Runtime, work: Work, eager: InProcessQueue, logs: list[structlog.typing.EventDict]
    ) -> None:
        await enqueue(runtime, note, "later", delay=3600, job_id="one")
        await eager.close(SOON)
        assert work.done == []
        (entry,) = logs
        assert (entry["event"], entry["job_id"]) == ("job_lost", "one")

    async def test_makes_one_more_attempt_of_pending_retries(
        self, runtime: Runtime, work: Work, eager: InProcessQueue
    ) -> None:
        work.failures = 1
        await enqueue(runtime, fail)
        await asyncio.wait_for(work.changed.wait(), 5)
        await eager.close(SOON)
        assert work.done == ["tried"] * 2

    async def test_cancels_and_logs_jobs_that_take_too_long(
        self, runtime: Runtime, work: Work, eager: InProcessQueue, logs: list[structlog.typing.EventDict]
    ) -> None:
        await enqueue(runtime, wait, job_id="one")
        await asyncio.wait_for(work.changed.wait(), 5)
        await eager.close(timedelta(milliseconds=10))
        assert work.running == 0
        (entry,) = logs
        assert (entry["event"], entry["job_id"]) == ("job_lost", "one")

    async def test_keeps_jobs_that_wait_for_drain(self, runtime: Runtime, work: Work) -> None:
        await enqueue(runtime, note, "one")
        await queue_of(runtime).close(SOON)
        assert work.done == []
