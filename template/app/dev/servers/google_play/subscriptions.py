"""The subscriptions of a fake Google Play, with a clock that can be moved.

The states are those of https://developer.android.com/google/play/billing/lifecycle/subscriptions, the notifications
those of https://developer.android.com/google/play/billing/rtdn-reference.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel

from app.dev.servers.google_play.objects import Message, State, Subscription, Type, Voided

MONTH: Final = timedelta(days=30)
YEAR: Final = timedelta(days=365)
TRIAL: Final = timedelta(days=14)
GRACE_PERIOD: Final = timedelta(days=7)
HOLD: Final = timedelta(days=53)
PAUSE: Final = MONTH
ACKNOWLEDGE_WITHIN: Final = timedelta(days=3)
FORGET_AFTER: Final = timedelta(days=60)
"""The time for which an expired purchase token is known."""


class Subscriptions(BaseModel):
    """All subscriptions. Actions and the passing of time append to `messages`."""

    items: dict[str, Subscription] = {}
    messages: list[Message] = []
    voided: list[Voided] = []
    offset: timedelta = timedelta()
    orders: int = 1000
    grace_enabled: bool = True

    @property
    def now(self) -> datetime:
        """The time of this Google Play."""
        return datetime.now(UTC) + self.offset

    def find(self, id_: str) -> Subscription | None:
        """Return a subscription by its purchase token, or by the beginning of it."""
        found = [each for token, each in self.items.items() if token.startswith(id_)]
        return found[0] if len(found) == 1 else self.items.get(id_)

    def buy(
        self,
        product: str,
        *,
        account: str | None = None,
        trial: bool = False,
        pending: bool = False,
        prepaid: bool = False,
        test: bool = True,
        linked: str | None = None,
        expired_token: str | None = None,
    ) -> Subscription:
        """Buy a subscription. A product whose name contains "year" is paid yearly, each other monthly."""
        item = Subscription(
            token=secrets.token_urlsafe(18) + "." + secrets.token_urlsafe(90),
            product=product,
            base_plan="yearly" if "year" in product else "monthly",
            account=account,
            test=test,
            prepaid=prepaid,
            state=State.PENDING,
            started=None,
            expires=None,
            paid_until=None,
            trial=trial,
            linked=linked,
            expired_token=expired_token,
        )
        self.items[item.token] = item
        if not pending:
            self.complete_payment(item)
        return item

    def complete_payment(self, item: Subscription) -> None:
        """Complete the first payment of a pending purchase. The purchase that it replaces ends."""
        item.started, item.state, item.order = self.now, State.ACTIVE, self._new_order()
        item.paid_until = item.expires = self.now + (TRIAL if item.trial else _period(item.product))
        self.notify(Type.PURCHASED, item)
        old = self.items.get(item.linked or "")
        if old is not None and old.state is not State.EXPIRED:
            old.state, old.replaced, old.expires = State.EXPIRED, True, self.now
            self.notify(Type.EXPIRED, old)

    def cancel_payment(self, item: Subscription) -> None:
        """Cancel a pending purchase."""
        item.state = State.PENDING_PURCHASE_CANCELED
        self.notify(Type.PENDING_PURCHASE_CANCELED, item)

    def replace(self, item: Subscription, product: str, *, pending: bool = False) -> Subscription:
        """Change to another product, at once: a new purchase, which names the old one."""
        return self.buy(product, account=item.account, test=item.test, pending=pending, linked=item.token)

    def resubscribe(self, item: Subscription) -> Subscription:
        """Buy the same again in Google Play itself, outside the app."""
        expired = item.state is State.EXPIRED
        return self.buy(
            item.product,
            test=item.test,
            linked=None if expired else item.token,
            expired_token=item.token if expired else None,
        )

    def cancel(self, item: Subscription) -> None:
        """Turn the renewal off: the subscription ends with the period."""
        item.state = State.CANCELED if item.state is not State.ON_HOLD else State.EXPIRED
        self.notify(Type.CANCELED, item)

    def restore(self, item: Subscription) -> None:
        """Turn the renewal on again."""
        item.state = State.ACTIVE
        self.notify(Type.RESTARTED, item)

    def pause(self, item: Subscription) -> None:
        """Pause for a month, from the end of the period on."""
        item.pauses = True
        self.notify(Type.PAUSE_SCHEDULE_CHANGED, item)

    def decline_payments(self, item: Subscription) -> None:
        """Let each payment fail from now on."""
        item.pays = False

    def accept_payments(self, item: Subscription) -> None:
        """Let payments succeed again. A payment that is due is made at once."""
        item.pays = True
        if item.state in {State.IN_GRACE_PERIOD, State.ON_HOLD}:
            # The days of the grace period count as paid.
            self._charge(item, item.paid_until if item.state is State.IN_GRACE_PERIOD else self.now)
            self.notify(Type.RECOVERED, item)

    def extend(self, item: Subscription) -> None:
        """Defer the next payment by 30 days."""
        item.expires = item.paid_until = (item.expires or self.now) + MONTH
        self.notify(Type.DEFERRED, item)

    def revoke(self, item: Subscription) -> None:
        """Refund the last payment and end the subscription at once."""
        item.state, item.expires = State.EXPIRED, self.now
        self.void(item)
        self.notify(Type.REVOKED, item)

    def charge_back(self, item: Subscription) -> None:
        """Return the last payment, after a dispute. The state does not show it, only the list of voided purchases."""
        self.void(item)

    def void(self, item: Subscription) -> None:
        """Void the last order."""
        self.voided.append(Voided(token=item.token, order=item.order or "", at=self.now))
        content = {"purchaseToken": item.token, "orderId": item.order, "productType": 1, "refundType": 1}
        self.send({"voidedPurchaseNotification": content})

    def advance(self, duration: timedelta) -> None:
        """Let time pass: renewals, failed payments and expiries happen in their order."""
        end = self.now + duration
        while due := self._next_due(end):
            at, happen = due
            self.offset = max(self.offset, at - datetime.now(UTC))
            happen()
        self.offset = end - datetime.now(UTC)

    def notify(self, type_: Type | int, item: Subscription) -> None:
        """Send a notification about a subscription."""
        content = {"version": "1.0", "notificationType": int(type_), "purchaseToken": item.token}
        self.send({"subscriptionNotification": content})

    def send(self, content: dict[str, object]) -> None:
        """Send a notification."""
        self.messages.append(Message(id=str(secrets.randbits(60)), at=self.now, content=content))

    def _next_due(self, end: datetime) -> tuple[datetime, Callable[[], None]] | None:
        due = [each for item in self.items.values() for each in self._due(item)]
        return min((each for each in due if each[0] <= end), key=lambda each: each[0], default=None)

    def _due(self, item: Subscription) -> list[tuple[datetime, Callable[[], None]]]:
        due: list[tuple[datetime, Callable[[], None]]] = []
        if item.started is None or item.expires is None or item.paid_until is None:
            return due
        if not item.acknowledged and item.state is not State.EXPIRED:
            due.append((item.started + ACKNOWLEDGE_WITHIN, lambda: self.revoke(item)))
        match item.state:
            case State.ACTIVE | State.CANCELED:
                due.append((item.expires, lambda: self._end_period(item)))
            case State.PAUSED:
                due.append((item.expires + PAUSE, lambda: self._renew(item, self.now)))
            case State.IN_GRACE_PERIOD:
                due.append((item.expires, lambda: self._hold(item)))
            case State.ON_HOLD:
                due.append((item.expires + HOLD, lambda: self._expire(item)))
        return due

    def _end_period(self, item: Subscription) -> None:
        if item.state is State.CANCELED or item.prepaid:
            self._expire(item)
        elif item.pauses:
            item.state, item.pauses = State.PAUSED, False
            self.notify(Type.PAUSED, item)
        elif item.pays:
            self._renew(item, item.paid_until)
        elif self.grace_enabled:
            item.state, item.expires = State.IN_GRACE_PERIOD, (item.expires or self.now) + GRACE_PERIOD
            self.notify(Type.IN_GRACE_PERIOD, item)
        else:
            self._hold(item)

    def _renew(self, item: Subscription, at: datetime | None) -> None:
        self._charge(item, at)
        self.notify(Type.RENEWED, item)

    def _hold(self, item: Subscription) -> None:
        item.state = State.ON_HOLD
        self.notify(Type.ON_HOLD, item)

    def _expire(self, item: Subscription) -> None:
        item.state = State.EXPIRED
        self.notify(Type.EXPIRED, item)

    def _charge(self, item: Subscription, at: datetime | None) -> None:
        """Begin a paid period."""
        item.renewals += 1
        item.order = f"{(item.order or '').partition('..')[0]}..{item.renewals - 1}"
        item.paid_until = item.expires = (at or self.now) + _period(item.product)
        item.state, item.trial = State.ACTIVE, False

    def _new_order(self) -> str:
        self.orders += 1
        return f"GPA.3300-0000-0000-{self.orders:05}"


def _period(product: str) -> timedelta:
    return YEAR if "year" in product else MONTH
