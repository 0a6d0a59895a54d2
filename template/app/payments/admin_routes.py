"""Admin routes for subscriptions."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.core.admin_view import AdminView
from app.core.db.pagination import ListQuery, Page
from app.core.http.dependencies import SessionDep
from app.payments.models import PLAN_LENGTH, PROVIDER_LENGTH
from app.payments.port import SubscriptionStatus
from app.payments.repository import SubscriptionRepository

router = APIRouter(prefix="/subscriptions")

SUBSCRIPTIONS: Final = AdminView(
    title="Subscriptions",
    path="/subscriptions",
    columns=("provider_id", "provider", "plan", "status", "access_until", "user_id"),
)


class AdminSubscriptionRead(BaseModel):
    """A subscription of any user, as its provider last described it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str = Field(examples=["acme"])
    provider_id: str = Field(description="The provider's id of the subscription.")
    customer_id: str | None = Field(description="The provider's id of the customer.")
    user_id: UUID | None = Field(description="Null if no user is known: the subscription gives no access.")
    plan: str | None = Field(description="Null if no plan contains the product: the subscription gives no access.")
    product: str | None
    status: SubscriptionStatus
    access_until: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    trial_end: datetime | None
    grace_end: datetime | None
    quantity: int
    sandbox: bool = Field(description="Bought without real money.")
    taken_at: datetime = Field(description="When the provider described the subscription.")
    created_at: datetime
    updated_at: datetime


class SubscriptionQuery(ListQuery):
    """The query of the list of subscriptions."""

    status: SubscriptionStatus | None = Field(default=None, description="Only subscriptions with this status.")
    provider: str | None = Field(
        default=None, max_length=PROVIDER_LENGTH, description="Only subscriptions of this provider."
    )
    plan: str | None = Field(default=None, max_length=PLAN_LENGTH, description="Only subscriptions of this plan.")
    user_id: UUID | None = Field(default=None, description="Only subscriptions of this user.")


@router.get("")
async def list_subscriptions(
    session: SessionDep, query: Annotated[SubscriptionQuery, Query()]
) -> Page[AdminSubscriptionRead]:
    """List the subscriptions of all users, newest first."""
    return await SubscriptionRepository(session).page(AdminSubscriptionRead, query.page, filters=query.filters)


@router.get("/{subscription_id}")
async def get_subscription(session: SessionDep, subscription_id: UUID) -> AdminSubscriptionRead:
    """Get a subscription."""
    return AdminSubscriptionRead.model_validate(await SubscriptionRepository(session).require(subscription_id))
