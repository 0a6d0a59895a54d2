"""The subscriptions of a fake App Store, with a clock that can be moved.

The states and notifications are those of
https://developer.apple.com/documentation/appstoreservernotifications/notificationtype.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final
from uuid import uuid4

from pydantic import BaseModel

MONTH: Final = timedelta(days=30)
YEAR: Final = timedelta(days=365)
TRIAL: Final = timedelta(days=14)
GRACE_PERIOD: Final = timedelta(days=16)
RETRY_PERIOD: Final = timedelta(days=60)
FIRST_ID: Final = 2_000_000_000_000_001
PRICE: Final = 9_990
"""In thousandths of the currency."""
FREE_TRIAL: Final = "FREE_TRIAL"


class Status(IntEnum):
    """A status as the App Store Server API names it."""

    ACTIVE = 1
    EXPIRED = 2
    BILLING_RETRY = 3
    GRACE_PERIOD = 4
    REVOKED = 5


class Subscription(BaseModel):
    """A subscription and its last transaction."""

    original_id: str
    transaction_id: str
    product: str
    next_product: str
    period: timedelta
    account: str | None
    sandbox: bool
    family_shared: bool = False
    status: Status = Status.ACTIVE
    first_purchase: datetime
    purchased: datetime
    expires: datetime
    grace_end: datetime | None = None
    auto_renew: bool = True
    pays: bool = True
    consents: bool | None = None
    """Whether the customer accepted a higher price; `None` if there is none, or no answer was needed."""
    trial: bool = False
    offer: str | None = None
    revoked_at: datetime | None = None
    expiration_intent: int | None = None
    price: int = PRICE


class Notification(BaseModel):
    """A notification before it is signed, with the state at that time."""

    id: str
    type: str
    subtype: str | None
    at: datetime
    subscription: Subscription | None
    sandbox: bool


class Subscriptions(BaseModel):
    """All subscriptions. Actions and the passing of time append to `notifications`."""

    items: dict[str, Subscription] = {}
    notifications: list[Notification] = []
    offset: timedelta = timedelta()
    last_id: int = FIRST_ID
    grace_enabled: bool = True

    @property
    def now(self) -> datetime:
        """The time of this App Store."""
        return datetime.now(UTC) + self.offset

    def find(self, transaction_id: str) -> Subscription | None:
        """Return the subscription of a transaction, by its id or the original one."""
        return self.items.get(transaction_id) or next(
            (each for each in self.items.values() if each.transaction_id == transaction_id), None
        )

    def buy(
        self,
        product: str,
        *,
        account: str | None = None,
        trial: bool = False,
        offer: str | None = None,
        sandbox: bool = True,
        family_shared: bool = False,
    ) -> Subscription:
        """Buy a subscription. A product whose name contains "year" is paid yearly, each other monthly."""
        period, now, id_ = _period(product), self.now, self._next_id()
        bought = Subscription(
            original_id=id_,
            transaction_id=id_,
            product=product,
            next_product=product,
            period=period,
            account=account,
            sandbox=sandbox,
            family_shared=family_shared,
            first_purchase=now,
            purchased=now,
            expires=now + (TRIAL if trial else period),
            trial=trial,
            offer=offer,
            price=0 if trial else PRICE,
        )
        self.items[id_] = bought
        if offer is None:
            self._notify("SUBSCRIBED", "INITIAL_BUY", bought)
        else:
            self._notify("OFFER_REDEEMED", None, bought)
        return bought

    def resubscribe(self, item: Subscription) -> None:
        """Buy again what has expired."""
        self._charge(item, self.now)
        item.auto_renew = True
        self._notify("SUBSCRIBED", "RESUBSCRIBE", item)

    def cancel(self, item: Subscription) -> None:
        """Turn the renewal off: the subscription ends with the period."""
        item.auto_renew = False
        self._notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", item)

    def resume(self, item: Subscription) -> None:
        """Turn the renewal on again."""
        item.auto_renew = True
        self._notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_ENABLED", item)

    def upgrade(self, item: Subscription, product: str) -> None:
        """Change to a higher product, at once."""
        item.product = item.next_product = product
        item.period = _period(product)
        self._charge(item, self.now)
        self._notify("DID_CHANGE_RENEWAL_PREF", "UPGRADE", item)

    def downgrade(self, item: Subscription, product: str) -> None:
        """Change to a lower product, with the next renewal."""
        item.next_product = product
        self._notify("DID_CHANGE_RENEWAL_PREF", "DOWNGRADE", item)

    def decline_payments(self, item: Subscription) -> None:
        """Let each payment fail from now on."""
        item.pays = False

    def accept_payments(self, item: Subscription) -> None:
        """Let payments succeed again. A payment that is due is made at once."""
        item.pays = True
        if item.status in {Status.GRACE_PERIOD, Status.BILLING_RETRY}:
            self._charge(item, item.expires if item.status is Status.GRACE_PERIOD else self.now)
            self._notify("DID_RENEW", "BILLING_RECOVERY", item)

    def refund(self, item: Subscription) -> None:
        """Refund the last payment: access ends."""
        item.status, item.revoked_at = Status.REVOKED, self.now
        self._notify("REFUND", None, item)

    def decline_refund(self, item: Subscription) -> None:
        """Decline the customer's request for a refund."""
        self._notify("REFUND_DECLINED", None, item)

    def reverse_refund(self, item: Subscription) -> None:
        """Take a refund back."""
        item.revoked_at = None
        item.status = Status.ACTIVE if item.expires > self.now else Status.EXPIRED
        self._notify("REFUND_REVERSED", None, item)

    def revoke(self, item: Subscription) -> None:
        """End a family member's share."""
        item.status, item.revoked_at = Status.REVOKED, self.now
        self._notify("REVOKE", None, item)

    def raise_price(self, item: Subscription) -> None:
        """Announce a higher price that needs the customer's consent."""
        item.consents = False
        self._notify("PRICE_INCREASE", "PENDING", item)

    def consent(self, item: Subscription) -> None:
        """Accept the higher price."""
        item.consents = True
        self._notify("PRICE_INCREASE", "ACCEPTED", item)

    def extend(self, item: Subscription) -> None:
        """Extend the period by 30 days without a payment."""
        item.expires += MONTH
        self._notify("RENEWAL_EXTENDED", None, item)

    def announce(self, type_: str, subtype: str | None = None, item: Subscription | None = None) -> None:
        """Send a notification without a change, such as `TEST`."""
        self._notify(type_, subtype, item)

    def advance(self, duration: timedelta) -> None:
        """Let time pass: renewals, failed payments and expiries happen in their order."""
        end = self.now + duration
        while due := self._next_due(end):
            at, happen = due
            self.offset = max(self.offset, at - datetime.now(UTC))
            happen()
        self.offset = end - datetime.now(UTC)

    def _next_due(self, end: datetime) -> tuple[datetime, Callable[[], None]] | None:
        due = [each for item in self.items.values() for each in self._due(item)]
        return min((each for each in due if each[0] <= end), key=lambda each: each[0], default=None)

    def _due(self, item: Subscription) -> list[tuple[datetime, Callable[[], None]]]:
        match item.status:
            case Status.ACTIVE:
                return [(item.expires, lambda: self._end_period(item))]
            case Status.GRACE_PERIOD if item.grace_end is not None:
                return [(item.grace_end, lambda: self._end_grace_period(item))]
            case Status.BILLING_RETRY:
                return [(item.expires + RETRY_PERIOD, lambda: self._expire(item, "BILLING_RETRY", 2))]
            case _:
                return []

    def _end_period(self, item: Subscription) -> None:
        if not item.auto_renew:
            self._expire(item, "VOLUNTARY", 1)
        elif item.consents is False:
            self._expire(item, "PRICE_INCREASE", 3)
        elif item.pays:
            item.product = item.next_product
            item.period = _period(item.product)
            self._charge(item, item.expires)
            self._notify("DID_RENEW", None, item)
        elif self.grace_enabled:
            item.status, item.grace_end = Status.GRACE_PERIOD, item.expires + GRACE_PERIOD
            self._notify("DID_FAIL_TO_RENEW", "GRACE_PERIOD", item)
        else:
            item.status = Status.BILLING_RETRY
            self._notify("DID_FAIL_TO_RENEW", None, item)

    def _end_grace_period(self, item: Subscription) -> None:
        item.status = Status.BILLING_RETRY
        self._notify("GRACE_PERIOD_EXPIRED", None, item)

    def _expire(self, item: Subscription, subtype: str, intent: int) -> None:
        item.status, item.expiration_intent = Status.EXPIRED, intent
        self._notify("EXPIRED", subtype, item)

    def _charge(self, item: Subscription, at: datetime) -> None:
        """Begin a paid period."""
        item.transaction_id = self._next_id()
        item.purchased, item.expires = at, at + item.period
        item.status, item.grace_end, item.revoked_at = Status.ACTIVE, None, None
        item.trial, item.offer, item.expiration_intent, item.price = False, None, None, PRICE

    def _next_id(self) -> str:
        self.last_id += 1
        return str(self.last_id)

    def _notify(self, type_: str, subtype: str | None, item: Subscription | None) -> None:
        copy = None if item is None else item.model_copy()
        sandbox = True if item is None else item.sandbox
        self.notifications.append(
            Notification(id=str(uuid4()), type=type_, subtype=subtype, at=self.now, subscription=copy, sandbox=sandbox)
        )


def _period(product: str) -> timedelta:
    return YEAR if "year" in product else MONTH
