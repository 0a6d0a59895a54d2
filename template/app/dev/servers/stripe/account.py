"""The state of a fake Stripe account: its objects, its clock and its events."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from app.dev.servers.stripe.errors import missing
from app.dev.servers.stripe.objects.base import Json, Resource, document
from app.dev.servers.stripe.objects.events import Event, EventData, EventRequest, WebhookEndpoint
from app.dev.servers.stripe.objects.invoices import InvoiceLine
from app.dev.servers.stripe.objects.meters import MeterEvent
from app.dev.servers.stripe.objects.subscriptions import BillingModeType


@dataclass(kw_only=True)
class Clock:
    """A clock that can be moved forward. It runs with the real time.

    Attributes:
        offset: seconds that it is ahead of the real time.
        held: the time at which it stands still, while the account catches up.
    """

    offset: int = 0
    held: int | None = None

    def now(self) -> int:
        """Return the account's time in seconds since 1970."""
        return int(time.time()) + self.offset if self.held is None else self.held

    @contextmanager
    def holding(self, at: int) -> Iterator[None]:
        """Stand still at a time until the end of the block."""
        before, self.held = self.held, at
        try:
            yield
        finally:
            self.held = before


@dataclass(kw_only=True)
class Delivery:
    """An event on its way to an endpoint.

    Attributes:
        due: the real time before which it is not sent.
    """

    event: str
    endpoint: str
    attempts: int = 0
    due: float = 0.0


@dataclass(kw_only=True)
class Dunning:
    """The rules for a renewal that can't be paid: see Stripe's settings "Manage failed payments".

    Attributes:
        retry_days: days between the attempts.
        then: the status after the last attempt.
    """

    retry_days: tuple[int, ...] = (3, 5, 7)
    then: str = "canceled"


@dataclass(kw_only=True)
class Account:
    """All objects, by the value of their field `object` and their id.

    Attributes:
        tag: a part of every id, so that two accounts never have the same ones.
        pending_lines: lines that wait for the next invoice of a subscription.
        announced_trials: subscriptions for which `trial_will_end` was sent.
        rejected_identifiers: meter events that are accepted and fail later, asynchronously.
        default_billing_mode: the mode of subscriptions that are created without one: a setting of the account.
        base_url: where the pages are.
        request: the API request that is being carried out.
    """

    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    base_url: str = "http://127.0.0.1"
    clock: Clock = field(default_factory=Clock)
    default_billing_mode: BillingModeType = "flexible"
    dunning: Dunning = field(default_factory=Dunning)
    objects: dict[str, dict[str, Resource]] = field(default_factory=dict)
    pending_lines: dict[str, list[InvoiceLine]] = field(default_factory=dict)
    announced_trials: set[str] = field(default_factory=set)
    meter_events: list[MeterEvent] = field(default_factory=list)
    meter_identifiers: dict[str, int] = field(default_factory=dict)
    rejected_identifiers: set[str] = field(default_factory=set)
    deliveries: list[Delivery] = field(default_factory=list)
    request: EventRequest = field(default_factory=EventRequest)
    last_id: int = 0
    _shown: dict[str, Json] = field(default_factory=dict)

    @property
    def now(self) -> int:
        """The account's time in seconds since 1970."""
        return self.clock.now()

    def new_id(self, prefix: str) -> str:
        """Return an id that grows, so that ids sort by age."""
        self.last_id += 1
        return f"{prefix}_{self.tag}{self.last_id:010d}"

    def add[R: Resource](self, one: R) -> R:
        """Keep a new object."""
        self.objects.setdefault(one.OBJECT, {})[one.id] = one
        return one

    def find[R: Resource](self, kind: type[R], object_id: str, *, param: str = "id") -> R:
        """Return an object.

        Raises:
            ApiError: it doesn't exist.
        """
        found = self.get(kind, object_id)
        if found is None:
            raise missing(kind.OBJECT, object_id, param=param)
        return found

    def get[R: Resource](self, kind: type[R], object_id: str | None) -> R | None:
        """Return an object, or `None` if it doesn't exist."""
        return cast("R | None", self.objects.get(kind.OBJECT, {}).get(object_id or ""))

    def all[R: Resource](self, kind: type[R]) -> list[R]:
        """Return the objects of a type, the oldest first."""
        return cast("list[R]", list(self.objects.get(kind.OBJECT, {}).values()))

    def remove(self, one: Resource) -> None:
        """Forget an object."""
        self.objects[one.OBJECT].pop(one.id)

    def emit(self, event_type: str, one: Resource) -> Event:
        """Record that an object changed, and send the event to the endpoints that want it."""
        shown = cast("Json", document(one))
        before = self._shown.get(one.id)
        self._shown[one.id] = shown
        changes = None
        if before is not None and event_type.endswith("updated"):
            changes = {name: value for name, value in before.items() if shown.get(name) != value}
        event = Event(
            id=self.new_id(Event.PREFIX),
            created=self.now,
            data=EventData(object=shown, previous_attributes=changes),
            request=self.request,
            type=event_type,
        )
        self.add(event)
        for endpoint in self.all(WebhookEndpoint):
            if endpoint.accepts(event_type):
                event.pending_webhooks += 1
                self.deliveries.append(Delivery(event=event.id, endpoint=endpoint.id))
        return event
