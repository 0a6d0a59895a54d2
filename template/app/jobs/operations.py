"""What people do with jobs: look, run a dead one again, cancel one that waits."""

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
    """The newest jobs of one state or of all, and how many there are."""
    where = [] if state is None else [col(Job.state) == state]
    # What they are given may be large, and is shown of one at a time.
    without_args = defer(Job.args)  # type: ignore[arg-type]  # a column
    page = select(Job).options(without_args).where(*where).order_by(col(Job.id).desc()).offset(skip).limit(limit)
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
    async with runtime.database.transaction() as session:
        return await replay_in(session, id_)


async def replay_in(session: AsyncSession, id_: UUID) -> bool:
    """`replay`, as a part of a transaction."""
    now = utc_now()
    values = {"state": JobState.WAITING, "attempts": 0, "run_at": now, "due_at": now, "updated_at": now}
    return await _change(session, id_, JobState.DEAD, values)


async def cancel(runtime: "Runtime", id_: UUID) -> bool:
    """Stops a job that waits; whether there is a waiting one with this id."""
    async with runtime.database.transaction() as session:
        return await cancel_in(session, id_)


async def cancel_in(session: AsyncSession, id_: UUID) -> bool:
    """`cancel`, as a part of a transaction."""
    values = {"state": JobState.CANCELLED, "due_at": None, "updated_at": utc_now()}
    return await _change(session, id_, JobState.WAITING, values)


async def _change(session: AsyncSession, id_: UUID, state: JobState, values: Mapping[str, object]) -> bool:
    # Of two who try, and of a worker that begins meanwhile, one succeeds.
    statement = update(Job).where(col(Job.id) == id_, col(Job.state) == state).values(values).returning(col(Job.id))
    return (await session.execute(statement, execution_options={"synchronize_session": False})).first() is not None
