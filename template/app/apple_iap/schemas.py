"""Request and response bodies of purchases in the App Store."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.payments.port import SubscriptionStatus

MAX_SIGNED_TRANSACTION = 32 * 1024
MAX_SIGNED_PAYLOAD = 128 * 1024
_JWS = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$"


class PurchaseLink(BaseModel):
    """A purchase of the current user."""

    model_config = ConfigDict(extra="forbid")

    signed_transaction: Annotated[
        str,
        Field(
            max_length=MAX_SIGNED_TRANSACTION,
            pattern=_JWS,
            description="The transaction as StoreKit signed it: `VerificationResult.jwsRepresentation`.",
        ),
    ]


class LinkedSubscription(BaseModel):
    """A subscription of the App Store that belongs to the current user.

    Attributes:
        plan: `null` if no plan of this server contains the product.
        access_until: the end of access, if it is known. `null`: the subscription gives no access.
        sandbox: whether no real money is involved. In production, such a subscription gives no access.
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


class NotificationBody(BaseModel):
    """The body of a Server Notification V2 (https://developer.apple.com/documentation/appstoreservernotifications)."""

    signedPayload: Annotated[str, Field(max_length=MAX_SIGNED_PAYLOAD)]  # noqa: N815 - Apple's name
