"""Response bodies of the admin routes for usage."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.usage_billing.models import UsageState


class UsageRecordRead(BaseModel):
    """Usage of a user, as an administrator sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="Identifies the record at Stripe too.")
    user_id: UUID
    meter: str = Field(examples=["ai_tokens"])
    quantity: int
    occurred_at: datetime
    state: UsageState
    attempts: int
    customer_id: str | None = Field(description="The customer at Stripe. Null until the first attempt.")
    reason: str | None = Field(description="Why the last attempt failed.")
    created_at: datetime


class MeterErrorReportRead(BaseModel):
    """A report of Stripe about usage that it accepted first and rejected later."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    event_id: str
    meter_id: str
    code: str = Field(examples=["meter_event_customer_not_found"])
    error_count: int = Field(description="How many records are concerned. Stripe names only some of them.")
    message: str
    created_at: datetime
