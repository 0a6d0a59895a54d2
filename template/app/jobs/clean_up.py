"""Rows of finished jobs do not stay for ever."""

from datetime import timedelta

import structlog

from app.core.models import utc_now
from app.core.runtime import Runtime
from app.jobs.operations import forget_finished
from app.jobs.settings import JobsSettings

logger = structlog.stdlib.get_logger(__name__)


async def forget_old_jobs(runtime: Runtime) -> None:
    """Deletes jobs that were finished JOBS_KEEP_DAYS ago."""
    keep = timedelta(days=runtime.resource(JobsSettings).JOBS_KEEP_DAYS)
    logger.info("jobs_forgotten", count=await forget_finished(runtime, utc_now() - keep))
