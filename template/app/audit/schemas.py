"""The shapes of the audit log's requests and responses."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.audit.models import ACTION_LENGTH, REQUEST_ID_LENGTH, TARGET_ID_LENGTH, TARGET_TYPE_LENGTH
from app.core.db.pagination import MAX_LIMIT
from app.kit.timestamp import Timestamp

Action = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]+\*?$", max_length=ACTION_LENGTH)]


class ExportFormat(StrEnum):
    """The formats of the audit log."""

    JSON = "json"
    CSV = "csv"
    JSON_LINES = "jsonl"


class AuditFilters(BaseModel):
    """The filters of the audit log. All of them must match."""

    model_config = ConfigDict(extra="forbid")

    actor_id: UUID | None = Field(None, description="The user who acted, or the administrator who impersonated.")
    impersonated_id: UUID | None = Field(None, description="The impersonated user.")
    action: Action | None = Field(None, description="An action such as `user.updated`, or a group of them: `user.*`.")
    target_type: Annotated[str, StringConstraints(max_length=TARGET_TYPE_LENGTH)] | None = Field(
        None, description="The type of the changed object, such as `user`."
    )
    target_id: Annotated[str, StringConstraints(max_length=TARGET_ID_LENGTH)] | None = Field(
        None, description="The id of the changed object."
    )
    request_id: Annotated[str, StringConstraints(max_length=REQUEST_ID_LENGTH)] | None = Field(
        None, description="The id of the request."
    )
    since: Timestamp | None = Field(None, description="Only entries from this time on.")
    until: Timestamp | None = Field(None, description="Only entries before this time.")


class AuditQuery(AuditFilters):
    """The query of the list."""

    cursor: UUID | None = Field(None, description="`next_cursor` of the previous page.")
    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="Maximum number of entries of a page.")
    format: ExportFormat = Field(
        ExportFormat.JSON, description="`csv` and `jsonl` stream all entries that match, without pages."
    )


class AuditEntryRead(BaseModel):
    """An entry of the audit log."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    actor_id: UUID | None = Field(description="The user who acted. During impersonation, the administrator.")
    impersonated_id: UUID | None = Field(description="The user whom the actor impersonated.")
    action: str
    target_type: str
    target_id: str
    details: dict[str, Any]
    changes: dict[str, Any] = Field(description="The changed fields: `{field: [before, after]}`, redacted.")
    request_id: str | None
    client: str | None = Field(description="The pseudonym of the actor's network address.")
    user_agent: str | None


class AuditPage(BaseModel):
    """A page of the audit log, newest first."""

    items: list[AuditEntryRead]
    next_cursor: UUID | None = Field(description="The cursor of the next page; null on the last one.")
