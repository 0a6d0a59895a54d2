"""Calls to Stripe's meters."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from app.stripe.api import PAGE, StripeApi
from app.usage_billing.statements import Claim

if TYPE_CHECKING:
    from stripe import RequestOptions
    from stripe.params.billing import MeterEventCreateParams, MeterListParams
    from stripe.params.v2.core import EventDestinationListParams


async def report(api: StripeApi, claim: Claim) -> None:
    """Report a usage record to its meter.

    Raises:
        ProviderUnavailableError: Stripe doesn't answer. It may have counted the record.
        stripe.StripeError: Stripe rejects it, or has counted it before.
    """
    params: MeterEventCreateParams = {
        "event_name": claim.meter,
        "payload": {"stripe_customer_id": str(claim.customer_id), "value": str(claim.quantity)},
        "identifier": claim.identifier,
        "timestamp": int(claim.occurred_at.timestamp()),
    }
    # Error reports name records by this key.
    options: RequestOptions = {"idempotency_key": claim.identifier}
    await api.call(lambda client: client.v1.billing.meter_events.create_async(params, options))


async def meters(api: StripeApi) -> Mapping[str, dict[str, Any]]:
    """Return the active meters by the name of their event."""
    found: dict[str, dict[str, Any]] = {}
    params: dict[str, Any] = {"status": "active", "limit": PAGE}
    while True:
        page = await api.call(lambda client: client.v1.billing.meters.list_async(cast("MeterListParams", params)))
        found |= {meter["event_name"]: meter for meter in page["data"]}
        if not page["has_more"] or not page["data"]:
            return found
        params["starting_after"] = page["data"][-1]["id"]


async def counted(api: StripeApi, meter_id: str, customer_id: str, since: datetime, until: datetime) -> int:
    """Return the usage that Stripe has counted for a customer. It may lack what was reported in the last minutes.

    Args:
        since: a full minute.
        until: a full minute, excluded.
    """
    params: Any = {"customer": customer_id, "start_time": int(since.timestamp()), "end_time": int(until.timestamp())}
    page = await api.call(lambda client: client.v1.billing.meters.event_summaries.list_async(meter_id, params))
    return round(float(sum(summary["aggregated_value"] for summary in page["data"])))


async def error_report(api: StripeApi, event_id: str) -> dict[str, Any]:
    """Return the event that reports rejected usage, with its data."""
    return await api.call(lambda client: client.v2.core.events.retrieve_async(event_id))


async def destinations(api: StripeApi) -> list[dict[str, Any]]:
    """Return the event destinations, with their URLs."""
    params: EventDestinationListParams = {"include": ["webhook_endpoint.url"], "limit": PAGE}
    page = await api.call(lambda client: client.v2.core.event_destinations.list_async(params))
    return list(page["data"])
