"""What jobs return: kept with the job until its row goes, for administrators."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col

from app.jobs.models import JobResult

if TYPE_CHECKING:
    from app.core.runtime import Runtime


async def keep_result(runtime: "Runtime", job_id: UUID, value: object) -> None:
    """Keeps what a job has returned, instead of what an attempt before may have.

    Raises:
        StatementError: it is not JSON.
        IntegrityError: the job's row is gone.
    """
    async with runtime.database.transaction() as session:
        await session.execute(delete(JobResult).where(col(JobResult.job_id) == job_id))
        session.add(JobResult(job_id=job_id, value=value))


async def result_of(runtime: "Runtime", job_id: UUID) -> object:
    """What the job has returned; nothing where it has not, or not yet."""
    async with runtime.database.reading() as session:
        found = await session.get(JobResult, job_id)
    return None if found is None else _whole(found.value)


def _whole(value: object) -> object:
    """The same without half characters, which JSON may have and an answer may not."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
