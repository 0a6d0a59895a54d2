"""Personal data, metrics and the plan's limit of files. Files that expire are deleted by a sweep (jobs.py)."""

from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.daily_report import rows
from app.core.data_policy.figures import rows_by_day, total_rows
from app.core.manifest import Figure, PersonalData, PlanLevel, ReportMetric
from app.core.runtime import Runtime
from app.storage.jobs import sweep_files
from app.storage.models import File, FileStatus
from app.storage.repository import FileRepository


async def release_files(runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Mark a user's files as being deleted. After the commit, a job deletes the objects and then the rows."""
    if await FileRepository(session).mark_all_deleting(user_id):
        await runtime.queue.enqueue(session, sweep_files, job_id="storage:sweep")


PERSONAL_DATA: Final = (
    PersonalData(
        model=File,
        belongs=lambda user_id: col(File.owner_id) == user_id,
        # Internal: the place of the object in the store.
        withheld=frozenset({"key"}),
        erase=release_files,
    ),
)

_STORED: Final = col(File.status) == FileStatus.STORED
_BYTES: Final = select(func.coalesce(func.sum(File.size), 0)).where(_STORED)

LEVELS: Final = (
    PlanLevel(
        resource="storage_mb",
        measure=lambda user_id: select(func.coalesce(func.sum(File.size), 0)).where(col(File.owner_id) == user_id),
    ),
)

REPORT_METRICS: Final = (
    ReportMetric(name="files_stored", count=rows(File, _STORED)),
    ReportMetric(name="files_bytes", count=lambda _since, _until: _BYTES),
)

FIGURES: Final = (
    Figure(name="files", query=total_rows(File)),
    Figure(name="files_created", query=rows_by_day(File)),
)
