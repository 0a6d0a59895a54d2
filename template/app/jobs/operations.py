"""Operations on jobs for administrators: list, retry a dead job, cancel a waiting one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from app.core.db.models import utc_now
from app.jobs.models import Job, JobState

if TYPE_CHECKING:
    from app.core.runtime import Runtime


async def list_jobs(
    runtime: "Runtime", *, state: JobState | None = None, skip: int = 0, limit: int = 50
) -> tuple[Sequence[Job], int]:
    """Return the newest jobs, of one state or of all, and their total number."""
    where = [] if state is None else [col(Job.state) == state]
    # Arguments may be large, and a list doesn't show them.
    without_args = defer(Job.args)  # type: ignore[arg-type]  # a column
    page = select(Job).options(without_args).where(*where).order_by(col(Job.id).desc()).offset(skip).limit(limit)
    async with runtime.database.reading() as session:
        found = (await session.scalars(page)).all()
        total = (await session.scalars(select(func.count()).select_from(Job).where(*where))).one()
    return found, total


async def get_job(runtime: "Runtime", id_: UUID) -> Job | None:
    """Return the job with this id."""
    async with runtime.database.reading() as session:
        return await session.get(Job, id_)


async def replay(runtime: "Runtime", id_: UUID) -> bool:
    """Retry a dead job with all its attempts. Return whether there is a dead job with this id."""
    async with runtime.database.transaction() as session:
        return await replay_in(session, id_)


async def replay_in(session: AsyncSession, id_: UUID) -> bool:
    """Do the same as `replay` within a transaction."""
    now = utc_now()
    values = {"state": JobState.WAITING, "attempts": 0, "run_at": now, "due_at": now, "updated_at": now}
    return await _change(session, id_, JobState.DEAD, values)


async def cancel(runtime: "Runtime", id_: UUID) -> bool:
    """Cancel a waiting job. Return whether there is a waiting job with this id."""
    async with runtime.database.transaction() as session:
        return await cancel_in(session, id_)


async def cancel_in(session: AsyncSession, id_: UUID) -> bool:
    """Do the same as `cancel` within a transaction."""
    values = {"state": JobState.CANCELLED, "due_at": None, "updated_at": utc_now()}
    return await _change(session, id_, JobState.WAITING, values)


async def _change(session: AsyncSession, id_: UUID, state: JobState, values: Mapping[str, object]) -> bool:
    # Of two administrators, or an administrator and a worker that claims the job, one succeeds.
    statement = update(Job).where(col(Job.id) == id_, col(Job.state) == state).values(values).returning(col(Job.id))
    return (await session.execute(statement, execution_options={"synchronize_session": False})).first() is not None
