"""Billing meters and the usage that they count."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import Resource

type Formula = Literal["count", "last", "sum"]

FORMULAS: tuple[Formula, ...] = ("count", "last", "sum")


@dataclass(kw_only=True)
class CustomerMapping:
    """The key of the payload that names the customer."""

    event_payload_key: str = "stripe_customer_id"
    type: Literal["by_id"] = "by_id"


@dataclass(kw_only=True)
class DefaultAggregation:
    """The way events are added up."""

    formula: Formula


@dataclass(kw_only=True)
class ValueSettings:
    """The key of the payload that holds the quantity."""

    event_payload_key: str = "value"


@dataclass(kw_only=True)
class MeterTransitions:
    """The times at which a meter changed."""

    deactivated_at: int | None = None


@dataclass(kw_only=True)
class Meter(Resource):
    """A counter per customer."""

    OBJECT: ClassVar[str] = "billing.meter"
    PREFIX: ClassVar[str] = "mtr_test"
    PATH: ClassVar[str] = "/v1/billing/meters"

    customer_mapping: CustomerMapping = field(default_factory=CustomerMapping)
    default_aggregation: DefaultAggregation
    display_name: str
    event_name: str
    event_time_window: Literal["day", "hour"] | None = None
    status: Literal["active", "inactive"] = "active"
    status_transitions: MeterTransitions = field(default_factory=MeterTransitions)
    updated: int
    value_settings: ValueSettings = field(default_factory=ValueSettings)


@dataclass(kw_only=True)
class MeterEvent:
    """One report of usage. It has no id: the identifier stands for it."""

    created: int
    event_name: str
    identifier: str
    payload: dict[str, str]
    timestamp: int
    livemode: bool = False
    object: Literal["billing.meter_event"] = "billing.meter_event"


@dataclass(kw_only=True)
class MeterEventSummary:
    """The usage of a customer in a window of time."""

    id: str
    aggregated_value: float
    start_time: int
    end_time: int
    meter: str
    livemode: bool = False
    object: Literal["billing.meter_event_summary"] = "billing.meter_event_summary"
