"""Operations on jobs, in code and with the command `app`."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.runtime import Runtime
from app.jobs.models import JobState
from app.jobs.operations import cancel, get_job, list_jobs, replay
from tests.jobs.sample_jobs import Work, enqueue, fail, make_runtime, note


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with an outbox whose jobs run only in `drain`."""
    return make_runtime(database)


async def dead_job(runtime: Runtime) -> UUID:
    """A job that has failed for good."""
    runtime.resource(Work).failures = 10
    id_ = UUID(await enqueue(runtime, fail))
    await runtime.queue.drain(raises=False)
    return id_


async def state_of(runtime: Runtime, id_: UUID) -> str:
    """Return the job's state."""
    job = await get_job(runtime, id_)
    assert job is not None
    return job.state


class TestList:
    async def test_shows_the_newest_and_counts_all(self, runtime: Runtime) -> None:
        dead = await dead_job(runtime)
        ids = [UUID(await enqueue(runtime, note, number)) for number in range(3)]

        found, total = await list_jobs(runtime, limit=2)
        assert ([job.id for job in found], total) == (ids[:0:-1], 4)
        found, total = await list_jobs(runtime, skip=2, limit=2)
        assert ([job.id for job in found], total) == ([ids[0], dead], 4)
        found, total = await list_jobs(runtime, state=JobState.DEAD)
        assert ([job.id for job in found], total) == ([dead], 1)


class TestReplay:
    async def test_resets_the_attempts_of_a_dead_job(self, runtime: Runtime) -> None:
        id_ = await dead_job(runtime)
        work = runtime.resource(Work)
        work.failures, work.done = 9, []
        assert await replay(runtime, id_)
        await runtime.queue.drain()

        assert work.done == ["tried"] * 10
        assert await state_of(runtime, id_) == JobState.DONE

    async def test_is_for_dead_jobs_only(self, runtime: Runtime) -> None:
        id_ = UUID(await enqueue(runtime, note, "one"))

        assert not await replay(runtime, id_)
        assert not await replay(runtime, uuid7())

    async def test_does_not_conflict_with_another_job_of_the_same_key(self, runtime: Runtime) -> None:
        runtime.resource(Work).failures = 10
        await enqueue(runtime, fail, job_id="same")
        await runtime.queue.drain(raises=False)
        ((dead,), _) = await list_jobs(runtime, state=JobState.DEAD)
        await enqueue(runtime, fail, job_id="same")

        assert await replay(runtime, dead.id)
        await runtime.queue.drain()
        assert (await list_jobs(runtime, state=JobState.DONE))[1] == 2


class TestCancel:
    async def test_stops_a_job_that_waits(self, runtime: Runtime) -> None:
        id_ = UUID(await enqueue(runtime, note, "one"))
        assert await cancel(runtime, id_)
        await runtime.queue.drain()

        assert runtime.resource(Work).done == []
        assert await state_of(runtime, id_) == JobState.CANCELLED
        assert not await cancel(runtime, id_)

    async def test_frees_its_key(self, runtime: Runtime) -> None:
        await enqueue(runtime, note, "one", job_id="same")
        ((job,), _) = await list_jobs(runtime)
        await cancel(runtime, job.id)
        await enqueue(runtime, note, "two", job_id="same")
        await runtime.queue.drain()

        assert runtime.resource(Work).done == ["two"]
