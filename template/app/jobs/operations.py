"""What people do with jobs: look, run a dead one again, cancel one that waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlmodel import col

from app.core.models import utc_now
from app.jobs.models import Job, JobState

if TYPE_CHECKING:
    from app.core.runtime import Runtime

_FORGET_AT_ONCE = 1000


async def list_jobs(
    runtime: "Runtime", *, state: JobState | None = None, skip: int = 0, limit: int = 50
) -> tuple[Sequence[Job], int]:
    """The newest jobs of one state or of all, and how many there are."""
    where = [] if state is None else [col(Job.state) == state]
    page = select(Job).where(*where).order_by(col(Job.id).desc()).offset(skip).limit(limit)
    async with runtime.database.reading() as session:
        found = (await session.scalars(page)).all()
        total = (await session.scalars(select(func.count()).select_from(Job).where(*where))).one()
    return found, total


async def get_job(runtime: "Runtime", id_: UUID) -> Job | None:
    """The job with this id."""
    async with runtime.database.reading() as session:
        return await session.get(Job, id_)


async def replay(runtime: "Runtime", id_: UUID) -> bool:
    """Gives a dead job all its attempts again, from now on; whether there is a dead one with this id."""
    now = utc_now()
    values = {"state": JobState.WAITING, "attempts": 0, "run_at": now, "due_at": now, "updated_at": now}
    return await _change(runtime, id_, JobState.DEAD, values)


async def cancel(runtime: "Runtime", id_: UUID) -> bool:
    """Stops a job that waits; whether there is a waiting one with this id."""
    values = {"state": JobState.CANCELLED, "due_at": None, "updated_at": utc_now()}
    return await _change(runtime, id_, JobState.WAITING, values)


async def forget_finished(runtime: "Runtime", before: datetime) -> int:
    """Deletes the rows of jobs that were done or cancelled before then; dead ones stay until somebody has seen them.

    Returns:
        How many.
    """
    finished = (col(Job.state).in_((JobState.DONE, JobState.CANCELLED)), col(Job.updated_at) < before)
    some = select(col(Job.id)).where(*finished).limit(_FORGET_AT_ONCE)
    statement = delete(Job).where(col(Job.id).in_(some)).returning(col(Job.id))
    count = 0
    while gone := len(await runtime.database.execute(statement, {})):
        count += gone
    return count


async def _change(runtime: "Runtime", id_: UUID, state: JobState, values: Mapping[str, object]) -> bool:
    # Of two who try, and of a worker that begins meanwhile, one succeeds.
    statement = update(Job).where(col(Job.id) == id_, col(Job.state) == state).values(values).returning(col(Job.id))
    return bool(await runtime.database.execute(statement, {}))
