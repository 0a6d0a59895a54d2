"""The objects of a fake Google Play: purchases, notifications and voided orders."""

from datetime import datetime
from enum import IntEnum, StrEnum

from pydantic import BaseModel


class State(StrEnum):
    """A state of a subscription."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    IN_GRACE_PERIOD = "IN_GRACE_PERIOD"
    ON_HOLD = "ON_HOLD"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    PENDING_PURCHASE_CANCELED = "PENDING_PURCHASE_CANCELED"


class Type(IntEnum):
    """A type of a subscription notification."""

    RECOVERED = 1
    RENEWED = 2
    CANCELED = 3
    PURCHASED = 4
    ON_HOLD = 5
    IN_GRACE_PERIOD = 6
    RESTARTED = 7
    DEFERRED = 9
    PAUSED = 10
    PAUSE_SCHEDULE_CHANGED = 11
    REVOKED = 12
    EXPIRED = 13
    PENDING_PURCHASE_CANCELED = 20


class Subscription(BaseModel):
    """A purchase token and its subscription."""

    token: str
    product: str
    base_plan: str
    account: str | None
    test: bool
    prepaid: bool = False
    state: State
    started: datetime | None
    expires: datetime | None
    paid_until: datetime | None
    """The end of what was paid. A grace period moves only `expires`."""
    order: str | None = None
    renewals: int = 0
    pays: bool = True
    pauses: bool = False
    trial: bool = False
    acknowledged: bool = False
    linked: str | None = None
    expired_token: str | None = None
    """The expired purchase that this one continues. Bought outside the app, it names no account."""
    replaced: bool = False
    voided_at: datetime | None = None


class Message(BaseModel):
    """A notification."""

    id: str
    at: datetime
    content: dict[str, object]


class Voided(BaseModel):
    """A voided order."""

    token: str
    order: str
    at: datetime
