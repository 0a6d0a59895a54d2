"""The table `jobs`: one row per job, from the request that enqueues it until long after its end."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import JSON, Index, Table, text
from sqlmodel import Field, SQLModel

from app.core.context import TRACEPARENT_LENGTH
from app.core.db.columns import enum_type
from app.core.db.models import Entity, metadata, utc_now
from app.core.observability.error_summary import MAX_REASON

MAX_NAME = 100
MAX_KEY = 200
NEVER_BEGUN = text("state = 'waiting' AND started_at IS NULL")
_UNFINISHED = text("due_at IS NOT NULL")
_KEPT_IN_VIEW = text("state <> 'done'")


class JobState(StrEnum):
    """The state of a job."""

    WAITING = "waiting"
    """The job is not due yet, or waits for a worker or for its next attempt."""
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """Its last attempt failed. `replay` retries it."""
    CANCELLED = "cancelled"
    """Cancelled by an administrator while it was waiting."""


class Job(Entity, table=True):
    """A job. The row is the source of truth; the broker only tells workers about it.

    `updated_at` is when the state last changed. `due_at` is when the sweeper must act: hand the job over to the
    workers (again), or take it from a worker whose lease has expired.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        # At most one job per key waits for its first attempt. Retries don't count.
        Index("uq_jobs_key", "key", unique=True, postgresql_where=NEVER_BEGUN, sqlite_where=NEVER_BEGUN),
        Index("ix_jobs_due_at", "due_at", postgresql_where=_UNFINISHED, sqlite_where=_UNFINISHED),
        Index("ix_jobs_state_id", "state", "id", postgresql_where=_KEPT_IN_VIEW, sqlite_where=_KEPT_IN_VIEW),
    )

    name: str = Field(max_length=MAX_NAME)
    # Plain JSON stores the arguments exactly as they were enqueued.
    args: list[object] = Field(sa_type=JSON)
    key: str | None = Field(default=None, max_length=MAX_KEY)
    state: JobState = Field(default=JobState.WAITING, sa_type=enum_type(JobState, "state", length=10))
    attempts: int = 0
    max_attempts: int
    run_at: datetime = Field(default_factory=utc_now)
    due_at: datetime | None = None
    started_at: datetime | None = None
    error: str | None = Field(default=None, max_length=MAX_REASON)
    request_id: str | None = Field(default=None, max_length=MAX_NAME)
    traceparent: str | None = Field(default=None, max_length=TRACEPARENT_LENGTH)


class JobResult(SQLModel, table=True):
    """The return value of a job. Deleted with the job's row."""

    __tablename__ = "job_results"

    job_id: UUID = Field(primary_key=True, foreign_key="jobs.id", ondelete="CASCADE")
    value: object = Field(sa_type=JSON)


jobs: Table = metadata.tables["jobs"]
