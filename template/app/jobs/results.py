"""Return values of jobs: kept with the job's row, for administrators."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col

from app.jobs.models import JobResult

if TYPE_CHECKING:
    from app.core.runtime import Runtime


async def keep_result(runtime: "Runtime", job_id: UUID, value: object) -> None:
    """Store a job's return value. Replaces that of an earlier attempt.

    Raises:
        StatementError: the value is not JSON.
        IntegrityError: the job's row no longer exists.
    """
    async with runtime.database.transaction() as session:
        await session.execute(delete(JobResult).where(col(JobResult.job_id) == job_id))
        session.add(JobResult(job_id=job_id, value=value))


async def result_of(runtime: "Runtime", job_id: UUID) -> object:
    """Return the job's return value, or `None` if it has none (yet)."""
    async with runtime.database.reading() as session:
        found = await session.get(JobResult, job_id)
    return None if found is None else _without_surrogates(found.value)


def _without_surrogates(value: object) -> object:
    """Replace lone surrogates: JSON text may contain them, a UTF-8 response may not."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
