"""Schemas of the admin routes for jobs."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.jobs.models import JobState


class JobRead(BaseModel):
    """A job."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    state: JobState
    attempts: int
    max_attempts: int
    run_at: datetime = Field(
        description="When the job's next attempt is due; for a started job, when its last attempt was due."
    )
    started_at: datetime | None = Field(description="When the first attempt started.")
    created_at: datetime
    updated_at: datetime = Field(description="When the state last changed.")
    error: str | None = Field(description="Why the last attempt failed.")
    request_id: str | None = Field(description="The id of the request that enqueued the job.")


class JobDetail(JobRead):
    """A job with its arguments and its result."""

    arguments: dict[str, object] = Field(
        description="Arguments by name. Ids and numbers are shown, texts are replaced by their length."
    )
    result: object = Field(description="The job's return value.")
