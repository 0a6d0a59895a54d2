"""The tables of purchases in Google Play.

A purchase token is needed to ask Google Play for the state, so a digest is not enough. It is stored in one column only,
until 60 days after the end. Everywhere else its id, the SHA-256 of the token, stands for it:
`subscriptions.provider_id`, webhook events and logs.

The token is not encrypted. A request to Google Play needs the key of the service account as well, and in this
application a token only links a purchase that has no user yet. A key in the environment, next to that of the service
account, would protect little more, and would be one more required setting of every app with purchases.
"""

from datetime import datetime
from hashlib import sha256

from sqlmodel import Field

from app.core.db.models import Entity
from app.google_iap.wire import MAX_ORDER_ID, MAX_TOKEN

ID_LENGTH = 64


class GooglePurchase(Entity, table=True):
    """A purchase token, and what the subscription itself has no column for.

    Attributes:
        token_id: `subscriptions.provider_id`.
        replaced_by: the id of the token of the purchase that replaced this one, which therefore gives no access.
        order_id: the last paid order.
        period_start: the begin of the period that it paid. Google Play states only the end.
        needs_acknowledgement: whether Google refunds the purchase unless it is acknowledged within three days.
    """

    __tablename__ = "google_purchases"

    token_id: str = Field(max_length=ID_LENGTH, unique=True)
    token: str = Field(max_length=MAX_TOKEN)
    replaced_by: str | None = Field(default=None, max_length=ID_LENGTH, index=True)
    order_id: str | None = Field(default=None, max_length=MAX_ORDER_ID)
    period_start: datetime | None = None
    period_end: datetime | None = None
    needs_acknowledgement: bool = Field(default=False, index=True)


class GoogleVoidedOrder(Entity, table=True):
    """An order that was refunded, charged back or revoked: what it paid for gives no access."""

    __tablename__ = "google_voided_orders"

    order_id: str = Field(max_length=MAX_ORDER_ID, unique=True)
    token_id: str = Field(max_length=ID_LENGTH, index=True)


def id_of(token: str) -> str:
    """Return the id of a purchase token."""
    return sha256(token.encode()).hexdigest()
