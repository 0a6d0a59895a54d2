"""Request and response bodies of purchases in Google Play."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.google_iap.wire import MAX_TOKEN
from app.payments.port import SubscriptionStatus


class GooglePurchaseLink(BaseModel):
    """A purchase of the current user."""

    model_config = ConfigDict(extra="forbid")

    purchase_token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_TOKEN,
            pattern=r"^[A-Za-z0-9._~-]+$",
            description="The token of the purchase: `Purchase.getPurchaseToken()` of the Play Billing Library.",
        ),
    ]


class LinkedGoogleSubscription(BaseModel):
    """A subscription in Google Play that belongs to the current user.

    Attributes:
        plan: `null` if no plan of this server contains the product.
        access_until: the end of access, if it is known. `null`: the subscription gives no access.
        sandbox: whether a license tester bought it. In production, such a subscription gives no access.
    """

    model_config = ConfigDict(from_attributes=True)

    provider: str
    product: str | None
    plan: str | None
    status: SubscriptionStatus
    access_until: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    sandbox: bool
