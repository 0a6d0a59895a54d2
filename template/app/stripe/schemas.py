"""Request and response bodies for billing."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.payments.port import SubscriptionStatus
from app.plans.catalog import MAX_NAME_LENGTH
from app.stripe.prices import Interval
from app.stripe.return_urls import MAX_LENGTH

MAX_SEATS = 10_000

PlanName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH, examples=["pro"])]
Seats = Annotated[int, Field(ge=1, le=MAX_SEATS, description="The number of seats.")]
ReturnUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LENGTH,
        examples=["https://app.example.com/billing"],
        description="Begins with PUBLIC_URL, or with an origin in BACKEND_CORS_ORIGINS.",
    ),
]


class CheckoutCreate(BaseModel):
    """A purchase."""

    model_config = ConfigDict(extra="forbid")

    plan: PlanName
    interval: Interval = Interval.MONTHLY
    quantity: Seats = 1
    success_url: ReturnUrl | None = None
    cancel_url: ReturnUrl | None = None


class CheckoutRead(BaseModel):
    """A session of Stripe Checkout. Send the user to `url`."""

    session_id: str
    url: str


class PortalRead(BaseModel):
    """A session of the customer portal. Send the user to `url`."""

    url: str


class SubscriptionRead(BaseModel):
    """A subscription of the user, from any provider."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str
    plan: str | None
    product: str | None
    status: SubscriptionStatus
    access_until: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    trial_end: datetime | None
    grace_end: datetime | None
    quantity: int


class BillingStatus(BaseModel):
    """The user's plan, and the subscriptions that it follows from, newest first."""

    plan: str
    subscriptions: list[SubscriptionRead]


class SubscriptionChoice(BaseModel):
    """The subscription to act on. Only needed if the user has several at Stripe."""

    model_config = ConfigDict(extra="forbid")

    subscription_id: UUID | None = None


class WantedChange(SubscriptionChoice):
    """A change of plan, interval or seats. Without `quantity`, the seats stay the same."""

    plan: PlanName
    interval: Interval = Interval.MONTHLY
    quantity: Seats | None = None


class PlanChange(WantedChange):
    """A change of plan, interval or seats, after its preview.

    `proration_date` is that of the preview: the change then costs what the preview showed.
    """

    proration_date: datetime


class ChangePreview(BaseModel):
    """The cost of a change, if it is made now. Amounts are in the currency's smallest unit.

    A negative `total` is credited to the next invoices, and `amount_due` is 0.
    """

    amount_due: int
    total: int
    currency: str
    proration_date: datetime


class InvoiceRead(BaseModel):
    """An invoice. Amounts are in the currency's smallest unit."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    number: str | None
    status: str | None
    currency: str
    total: int
    amount_paid: int
    created: datetime | None
    hosted_invoice_url: str | None
    invoice_pdf: str | None


class InvoicePage(BaseModel):
    """Invoices, newest first. If `next` is set, pass it as `after` to get the next page."""

    items: list[InvoiceRead]
    next: str | None
