"""Count the usage of meters."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.objects.catalog import Price
from app.dev.servers.stripe.objects.meters import Meter


def used(account: Account, price: Price, customer: str, start: int, end: int) -> int:
    """Return the usage that a metered price charges for."""
    meter = account.get(Meter, price.recurring.meter if price.recurring else None)
    return 0 if meter is None else int(aggregate(account, meter, customer, start, end))


def aggregate(account: Account, meter: Meter, customer: str, start: int, end: int) -> float:
    """Return the usage of a customer from `start` until before `end`, by the meter's formula."""
    mapping, settings = meter.customer_mapping.event_payload_key, meter.value_settings.event_payload_key
    values = [
        float(event.payload.get(settings, "0"))
        for event in account.meter_events
        if event.event_name == meter.event_name
        and event.payload[mapping] == customer
        and start <= event.timestamp < end
    ]
    match meter.default_aggregation.formula:
        case "count":
            return len(values)
        case "last":
            return values[-1] if values else 0
        case "sum":
            return sum(values)
