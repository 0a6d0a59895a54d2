"""Thin events and their destinations."""

import secrets

from app.dev.servers.stripe.account import Account, Delivery
from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.meters import Meter
from app.dev.servers.stripe.objects.thin import METER_ERRORS, EventDestination, ThinEvent


def create(call: Call) -> Answer:
    """Create a destination."""
    params, account = call.params, call.account
    endpoint = params.group("webhook_endpoint")
    destination = EventDestination(
        id=account.new_id(EventDestination.PREFIX),
        created=account.now,
        name=params.required("name"),
        enabled_events=params.strings("enabled_events"),
        secret=f"whsec_{secrets.token_hex(16)}",
        url=endpoint.required("url"),
        metadata=params.mapping("metadata"),
    )
    params.choice("type", ("webhook_endpoint",))
    params.choice("event_payload", ("thin",))
    included = params.strings("include")
    params.finish()
    return account.add(destination).shown(*included)


def listed(call: Call) -> Answer:
    """List destinations."""
    included = call.params.strings("include")
    call.params.ignore("limit", "page")
    call.params.finish()
    shown = [one.shown(*included) for one in reversed(call.account.all(EventDestination))]
    return {"data": shown, "next_page_url": None, "previous_page_url": None}


def retrieve(call: Call) -> Answer:
    """Return an event with its data."""
    call.params.finish()
    event = call.one(ThinEvent)
    return event.shown() | {"data": event.data}


def report_error(account: Account, meter: Meter, code: str, identifier: str) -> None:
    """Report that usage was rejected which had been accepted before."""
    sample: Json = {"error_message": f"The event was rejected: {code}.", "request": {"identifier": identifier}}
    reason: Json = {
        "error_count": 1,
        "error_types": [{"code": code, "error_count": 1, "sample_errors": [sample]}],
    }
    event = ThinEvent(
        id=account.new_id(ThinEvent.PREFIX),
        created=account.now,
        type=METER_ERRORS,
        related={"id": meter.id, "type": meter.OBJECT, "url": f"{meter.PATH}/{meter.id}"},
        data={
            "developer_message_summary": f"There is 1 invalid event of the meter {meter.event_name}.",
            "reason": reason,
        },
    )
    account.add(event)
    for destination in account.all(EventDestination):
        if event.type in destination.enabled_events:
            account.deliveries.append(Delivery(event=event.id, endpoint=destination.id))
