"""The table of subscriptions, of every provider."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from app.core.db.columns import enum_type
from app.core.db.models import Entity
from app.payments.port import GIVES_ACCESS, SubscriptionStatus

PROVIDER_LENGTH = 20
PROVIDER_ID_LENGTH = 255
PLAN_LENGTH = 50
PRODUCT_LENGTH = 255
EMAIL_LENGTH = 320


class Subscription(Entity, table=True):
    """A subscription as its provider last described it (`SubscriptionSnapshot` documents the columns).

    A subscription without a user is parked: it gives no access until a user links it, or until the user exists whom
    `claimed_user_id` or `claimed_email` identifies.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id"),
        CheckConstraint("quantity >= 0", name="quantity"),
        # Serves the figures of administrators.
        Index(None, "plan", "status", "product"),
    )

    provider: str = Field(max_length=PROVIDER_LENGTH)
    provider_id: str = Field(max_length=PROVIDER_ID_LENGTH)
    customer_id: str | None = Field(default=None, max_length=PROVIDER_ID_LENGTH, index=True)
    user_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL", index=True)
    claimed_user_id: UUID | None = Field(default=None, index=True)
    """The id of a user whom the provider names, if no such user exists yet."""
    claimed_email: str | None = Field(default=None, max_length=EMAIL_LENGTH, index=True)
    """The address at the provider, in lower case, while the subscription is parked."""
    plan: str | None = Field(default=None, max_length=PLAN_LENGTH)
    product: str | None = Field(default=None, max_length=PRODUCT_LENGTH)
    status: SubscriptionStatus = Field(sa_type=enum_type(SubscriptionStatus))
    access_until: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    cancel_at_period_end: bool = False
    trial_end: datetime | None = None
    grace_end: datetime | None = None
    quantity: int = 1
    sandbox: bool = False
    taken_at: datetime
    version: int = 1
    """Increases with each write. A snapshot is written only if the version is that from before its request."""

    def gives_access(self, now: datetime) -> bool:
        """Return whether the subscription gives access at a time, if its plan is known."""
        return self.status in GIVES_ACCESS and self.access_until is not None and self.access_until > now


class Reconciliation(Entity, table=True):
    """One comparison of the stored subscriptions with a provider's.

    Attributes:
        checked: the number of compared subscriptions.
        repaired: the number of subscriptions that differed from the provider's and were repaired (the drift).
        failed: the number of subscriptions that could not be compared.
    """

    __tablename__ = "billing_reconciliations"

    provider: str = Field(max_length=PROVIDER_LENGTH)
    checked: int
    repaired: int
    failed: int


class BillingNotice(Entity, table=True):
    """A notice that was sent to a user, so that it is sent only once."""

    __tablename__ = "billing_notices"

    key: str = Field(max_length=PROVIDER_ID_LENGTH, unique=True)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
