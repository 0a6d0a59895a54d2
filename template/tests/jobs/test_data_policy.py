"""Retention and erasure of jobs and of their results."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.data_policy.daily_report import generate_daily_report, make_report
from app.core.data_policy.personal_data import export_user
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.jobs.data_policy import KEEP_DEAD
from app.jobs.models import Job, JobResult, JobState
from app.jobs.module import module
from app.jobs.results import keep_result
from app.jobs.settings import JobsSettings
from app.users.jobs import delete_user_data
from tests.conftest import ME, SignIn

KEEP = timedelta(days=JobsSettings.model_fields["JOBS_KEEP_DAYS"].default)
DAY = timedelta(days=1)


@pytest.fixture
async def user_id(client: httpx.AsyncClient, sign_in: SignIn) -> str:
    """Somebody whom jobs are about."""
    return str((await client.get(ME, headers=await sign_in())).json()["id"])


async def a_job(runtime: Runtime, *args: object, state: JobState = JobState.DONE, **values: Any) -> UUID:  # noqa: ANN401
    """Insert a job with a result."""
    job = Job(id=uuid7(), name="shop.sell", args=list(args), state=state, max_attempts=3, **values)
    async with runtime.database.transaction() as session:
        session.add(job)
    await keep_result(runtime, job.id, {"sold": True})
    return job.id


async def left(runtime: Runtime) -> Sequence[UUID]:
    """The jobs that are there, each with its result."""
    async with runtime.database.reading() as session:
        ids = (await session.scalars(select(col(Job.id)).order_by(col(Job.id)))).all()
        results = (await session.scalars(select(col(JobResult.job_id)))).all()
    assert set(results) <= set(ids)
    return ids


class TestCleanup:
    @pytest.mark.parametrize(
        ("state", "age", "stays"),
        [
            (JobState.DONE, KEEP - DAY, True),
            (JobState.DONE, KEEP + DAY, False),
            (JobState.CANCELLED, KEEP + DAY, False),
            (JobState.DEAD, KEEP_DEAD - DAY, True),
            (JobState.DEAD, KEEP_DEAD + DAY, False),
            (JobState.WAITING, 10 * KEEP_DEAD, True),
            (JobState.RUNNING, 10 * KEEP_DEAD, True),
        ],
    )
    async def test_finished_jobs_are_deleted_after_their_retention_period(
        self, runtime: Runtime, state: JobState, age: timedelta, *, stays: bool
    ) -> None:
        id_ = await a_job(runtime, state=state)
        async with runtime.database.transaction() as session:
            await session.execute(update(Job).values(updated_at=utc_now() - age))

        await cleanup_old_data(runtime)

        assert list(await left(runtime)) == ([id_] if stays else [])

    def test_runs_by_the_clock_as_does_the_report(self) -> None:
        assert {cron.function for cron in module.crons} == {cleanup_old_data, generate_daily_report}


class TestErasure:
    async def test_jobs_about_the_user_are_deleted_and_others_kept(self, runtime: Runtime, user_id: str) -> None:
        await a_job(runtime, user_id)
        await a_job(runtime, "x", {"user_id": user_id}, state=JobState.WAITING)
        others = await a_job(runtime, str(uuid4()))
        # It runs while it removes what it is about.
        async with runtime.database.transaction() as session:
            await runtime.queue.enqueue(session, delete_user_data, user_id)
        await runtime.queue.drain(raises=False)

        ids = await left(runtime)
        assert ids[0] == others
        async with runtime.database.reading() as session:
            (erasure,) = (await session.scalars(select(Job).where(col(Job.id) != others))).all()
        assert (erasure.name, erasure.state) == ("users.delete_user_data", JobState.DONE)


async def test_an_export_lists_jobs_without_their_arguments(runtime: Runtime, user_id: str) -> None:
    id_ = await a_job(runtime, user_id, "https://example.com/reset/secret")
    await a_job(runtime, str(uuid4()))

    exported = b"".join([piece async for piece in export_user(runtime, UUID(user_id))])

    assert str(id_).encode() in exported
    assert exported.count(b"shop.sell") == 1
    assert b"secret" not in exported


async def test_a_job_that_returns_none_has_no_result(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, delete_user_data, str(uuid4()))
    await runtime.queue.drain()

    async with runtime.database.reading() as session:
        assert (await session.scalars(select(JobResult))).all() == []


async def test_states_are_in_the_report(runtime: Runtime) -> None:
    for state in (JobState.DONE, JobState.DONE, JobState.DEAD, JobState.WAITING):
        await a_job(runtime, state=state)
    await a_job(runtime, created_at=utc_now() - 2 * DAY, updated_at=utc_now() - 2 * DAY)

    figures = (await make_report(runtime, utc_now().date())).metrics

    assert {name: count for name, count in figures.items() if name.startswith("jobs_")} == {
        "jobs_queued": 4,
        "jobs_done": 2,
        "jobs_dead": 1,
        "jobs_waiting": 1,
    }
