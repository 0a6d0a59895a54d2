"""Admin routes for jobs. They read and change the table, so none waits for a worker."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from app.core.context import Actor
from app.core.db.pagination import Page, PageDep
from app.core.errors import NotFoundError
from app.core.http.dependencies import ActorDep, RuntimeDep, SessionDep
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.jobs import operations
from app.jobs.arguments import shown_arguments
from app.jobs.errors import JobStateError
from app.jobs.models import Job, JobState
from app.jobs.results import result_of
from app.jobs.schemas import JobDetail, JobRead

router = APIRouter(prefix="/jobs")


@router.get("")
async def list_jobs(
    runtime: RuntimeDep,
    page: PageDep,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
) -> Page[JobRead]:
    """List jobs, newest first."""
    found, total = await operations.list_jobs(runtime, state=state, skip=page.skip, limit=page.limit)
    return Page(items=[JobRead.model_validate(job) for job in found], total=total, skip=page.skip, limit=page.limit)


@router.get("/{job_id}")
async def read_job(runtime: RuntimeDep, job_id: UUID) -> JobDetail:
    """Get a job with its arguments and its result."""
    job = await _require(runtime, job_id)
    arguments, result = shown_arguments(runtime, job), await result_of(runtime, job_id)
    return JobDetail(**JobRead.model_validate(job).model_dump(), arguments=arguments, result=result)


@router.post("/{job_id}/retry")
async def retry_job(runtime: RuntimeDep, session: SessionDep, actor: ActorDep, job_id: UUID) -> JobRead:
    """Retry a dead job."""
    if not await operations.replay_in(session, job_id):
        raise JobStateError((await _require(runtime, job_id)).state, JobState.DEAD)
    await runtime.audit.record(session, _entry(actor, "job.retried", job_id))
    job = await session.get(Job, job_id)
    return JobRead.model_validate(job)


@router.delete("/{job_id}", status_code=status.HTTP_204_NO_CONTENT)
async def cancel_job(runtime: RuntimeDep, session: SessionDep, actor: ActorDep, job_id: UUID) -> None:
    """Cancel a waiting job."""
    if not await operations.cancel_in(session, job_id):
        raise JobStateError((await _require(runtime, job_id)).state, JobState.WAITING)
    await runtime.audit.record(session, _entry(actor, "job.cancelled", job_id))


async def _require(runtime: Runtime, job_id: UUID) -> Job:
    job = await operations.get_job(runtime, job_id)
    if job is None:
        raise NotFoundError("Job", job_id)
    return job


def _entry(actor: Actor, action: str, job_id: UUID) -> AuditEntry:
    return AuditEntry(actor_id=actor.id, action=action, target_type="job", target_id=str(job_id), client=actor.client)
