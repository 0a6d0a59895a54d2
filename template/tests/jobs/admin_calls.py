"""Calls of the admin routes for jobs."""

from typing import Final

from app.jobs.models import Job, JobState
from tests.users.admin_walk import Call, Calls, Scene


async def a_job(scene: Scene, state: JobState) -> str:
    """The id of a new job."""
    job = Job(name="core.generate_daily_report", args=[], state=state, max_attempts=1)
    async with scene.runtime.database.transaction() as session:
        session.add(job)
    return str(job.id)


async def retry(scene: Scene) -> Call:
    """Retry a dead job."""
    return Call(f"/jobs/{await a_job(scene, JobState.DEAD)}/retry")


async def cancel(scene: Scene) -> Call:
    """Cancel a waiting job."""
    return Call(f"/jobs/{await a_job(scene, JobState.WAITING)}")


CALLS: Final[Calls] = {"POST /jobs/{job_id}/retry": retry, "DELETE /jobs/{job_id}": cancel}
