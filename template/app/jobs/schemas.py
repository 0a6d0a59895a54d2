"""What administrators see of jobs."""

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
    run_at: datetime = Field(description="Not before then; of a job that has begun, when its last attempt was due.")
    started_at: datetime | None = Field(description="The first time.")
    created_at: datetime
    updated_at: datetime = Field(description="Of the state.")
    error: str | None = Field(description="Why the last attempt has failed.")
    request_id: str | None = Field(description="Of the request that queued it.")


class JobDetail(JobRead):
    """A job and what it is about."""

    arguments: dict[str, object] = Field(description="Keys and numbers as they are, of texts only the length.")
    result: object = Field(description="What it has returned, for as long as its row is kept.")
