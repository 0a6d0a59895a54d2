"""Billing meters and the usage that is reported to them."""

from decimal import Decimal, InvalidOperation

from app.dev.servers.stripe.api import thin
from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.billing.periods import DAY
from app.dev.servers.stripe.billing.usage import aggregate
from app.dev.servers.stripe.errors import ApiError, invalid
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.meters import (
    FORMULAS,
    CustomerMapping,
    DefaultAggregation,
    Meter,
    MeterEvent,
    MeterEventSummary,
    ValueSettings,
)

_PAST_SECONDS, _FUTURE_SECONDS = 35 * DAY, 300
_UNIQUE_SECONDS = DAY
_WINDOWS = {"hour": 3600, "day": DAY}
_MAX_IDENTIFIER = 100


def create(call: Call) -> Answer:
    """Create a meter."""
    params, account = call.params, call.account
    mapping, settings = params.group("customer_mapping"), params.group("value_settings")
    mapping.choice("type", ("by_id",))
    formula = params.group("default_aggregation").choice("formula", FORMULAS)
    if formula is None:
        raise invalid("Missing required param: default_aggregation[formula].", "default_aggregation[formula]")
    meter = Meter(
        id=account.new_id(Meter.PREFIX),
        created=account.now,
        customer_mapping=CustomerMapping(event_payload_key=mapping.text("event_payload_key") or "stripe_customer_id"),
        default_aggregation=DefaultAggregation(formula=formula),
        display_name=params.required("display_name"),
        event_name=params.required("event_name"),
        event_time_window=params.choice("event_time_window", ("day", "hour")),
        updated=account.now,
        value_settings=ValueSettings(event_payload_key=settings.text("event_payload_key") or "value"),
    )
    params.finish()
    if _active(call, meter.event_name) is not None:
        raise invalid(f"A meter with event name {meter.event_name} already exists.", "event_name")
    account.emit("billing.meter.created", account.add(meter))
    return meter


def _active(call: Call, event_name: str) -> Meter | None:
    meters = call.account.all(Meter)
    return next((one for one in meters if one.event_name == event_name and one.status == "active"), None)


def update(call: Call) -> Answer:
    """Rename a meter."""
    meter, name = call.one(Meter), call.params.required("display_name")
    call.params.finish()
    meter.display_name, meter.updated = name, call.account.now
    call.account.emit("billing.meter.updated", meter)
    return meter


def deactivate(call: Call) -> Answer:
    """Deactivate a meter: it rejects events."""
    call.params.finish()
    meter = call.one(Meter)
    meter.status, meter.status_transitions.deactivated_at = "inactive", call.account.now
    call.account.emit("billing.meter.deactivated", meter)
    return meter


def reactivate(call: Call) -> Answer:
    """Reactivate a meter: it accepts events again."""
    call.params.finish()
    meter = call.one(Meter)
    meter.status, meter.status_transitions.deactivated_at = "active", None
    call.account.emit("billing.meter.reactivated", meter)
    return meter


def listed(call: Call) -> Answer:
    """List meters."""
    status = call.params.text("status")
    return call.page(Meter, lambda one: status in {None, one.status})


def record(call: Call) -> Answer:
    """Record a meter event. An identifier is accepted only once within a day.

    Raises:
        ApiError: the identifier was used, the time is out of range, or no meter has the name.
    """
    params, account = call.params, call.account
    name, payload = params.required("event_name"), params.mapping("payload")
    identifier, timestamp = params.text("identifier") or account.new_id("identifier"), params.integer("timestamp")
    params.finish()
    meter = _active(call, name)
    if meter is None:
        raise ApiError(message=f"No active meter found for event name {name}.", code="no_meter", param="event_name")
    _check_payload(call, meter, payload)
    at = account.now if timestamp is None else timestamp
    if at < account.now - _PAST_SECONDS:
        raise _rejected("timestamp_too_far_in_past", "The timestamp must be within the past 35 calendar days.")
    if at > account.now + _FUTURE_SECONDS:
        raise _rejected("timestamp_in_future", "The timestamp may be at most 5 minutes in the future.")
    if len(identifier) > _MAX_IDENTIFIER:
        raise invalid("Invalid string: must be at most 100 characters", "identifier")
    if account.now - account.meter_identifiers.get(identifier, -_UNIQUE_SECONDS) < _UNIQUE_SECONDS:
        raise ApiError(
            message=f"An event already exists with identifier {identifier}.",
            code="resource_already_exists",
            param="identifier",
        )
    account.meter_identifiers[identifier] = account.now
    event = MeterEvent(created=account.now, event_name=name, identifier=identifier, payload=payload, timestamp=at)
    if identifier in account.rejected_identifiers:
        thin.report_error(account, meter, "meter_event_customer_not_found", identifier)
        return event
    account.meter_events.append(event)
    return event


def _rejected(code: str, message: str) -> ApiError:
    return ApiError(message=message, code=code, param="timestamp")


def _check_payload(call: Call, meter: Meter, payload: dict[str, str]) -> None:
    customer = payload.get(meter.customer_mapping.event_payload_key)
    if customer is None:
        raise ApiError(message="The payload has no customer.", code="meter_event_no_customer_defined", param="payload")
    if call.account.get(Customer, customer) is None:
        raise ApiError(
            message=f"No such customer: '{customer}'", code="meter_event_customer_not_found", param="payload"
        )
    try:
        Decimal(payload.get(meter.value_settings.event_payload_key, ""))
    except InvalidOperation:
        raise ApiError(
            message="The payload's value must be a number.", code="meter_event_invalid_value", param="payload"
        ) from None


def summaries(call: Call) -> Answer:
    """Sum the usage of a customer over the whole period, or by hour or day."""
    params, meter = call.params, call.one(Meter)
    customer = params.required("customer")
    start, end = params.integer("start_time"), params.integer("end_time")
    window = params.choice("value_grouping_window", ("day", "hour"))
    params.ignore("limit", "starting_after")
    params.finish()
    if start is None or end is None or end <= start:
        raise invalid("`end_time` must be after `start_time`.", "end_time")
    if start % 60 or end % 60:
        raise invalid("`start_time` and `end_time` must be aligned with minute boundaries.", "start_time")
    size = _WINDOWS[window] if window else end - start
    if window and (start % size or end % size):
        raise invalid(f"`start_time` and `end_time` must be aligned with {window} boundaries.", "start_time")
    found: list[object] = []
    for begin in range(start, end, size):
        value = aggregate(call.account, meter, customer, begin, begin + size)
        if value:
            summary_id = (
                f"mtrusg_{meter.id.removeprefix('mtr_')}_{customer.removeprefix('cus_')}_{begin}_{begin + size}"
            )
            found.append(
                MeterEventSummary(
                    id=summary_id, aggregated_value=value, start_time=begin, end_time=begin + size, meter=meter.id
                )
            )
    url = f"/v1/billing/meters/{meter.id}/event_summaries"
    return {"object": "list", "data": list(reversed(found)), "has_more": False, "url": url}
