"""The steps of `app billing setup` for meters: each needs a meter at Stripe, its price, and the reports of errors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import stripe

from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.stripe.errors import is_missing
from app.stripe.settings import API_BASE, StripeSettings
from app.stripe.setup import Change
from app.usage_billing import meter_api
from app.usage_billing.meters import Meter, MeterPrice, Meters
from app.usage_billing.webhook import METER_ERRORS

if TYPE_CHECKING:
    from stripe.params.v2.core import EventDestinationCreateParams

PRODUCT_PREFIX: Final = "usage_"


async def meters_and_prices(runtime: Runtime) -> Sequence[Change]:
    """Compare the meters, and a product with a metered price for each."""
    api, changes = runtime.resource(StripeApi), list[Change]()
    meters, known = runtime.resource(Meters), await meter_api.meters(api)
    prices = {price.lookup_key for price in await api.prices([price.key for price in meters.prices])}
    for meter in meters.by_name.values():
        existing = known.get(meter.name)
        if existing is None:
            changes.append(_create_meter(api, meter))
        elif existing["display_name"] != meter.title:
            changes.append(_rename_meter(api, meter, existing["id"]))
        changes += [_create_price(api, meter, price) for price in meter.prices if price.key not in prices]
    return changes


async def error_reports(runtime: Runtime) -> Sequence[Change]:
    """Compare the event destination that reports rejected usage. Stripe reaches only public servers with TLS."""
    api = runtime.resource(StripeApi)
    url = f"{runtime.settings.public_api_url}/public/webhooks/stripe-meters"
    if not url.startswith("https://") and runtime.resource(StripeSettings).STRIPE_API_BASE == API_BASE:
        return []
    if any(each.get("webhook_endpoint", {}).get("url") == url for each in await meter_api.destinations(api)):
        return []
    params: EventDestinationCreateParams = {
        "name": f"Rejected usage of {runtime.settings.PROJECT_NAME}"[:100],
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": [METER_ERRORS],
        "webhook_endpoint": {"url": url},
        "include": ["webhook_endpoint.signing_secret"],
    }

    async def apply() -> str:
        made = await api.call(lambda client: client.v2.core.event_destinations.create_async(params))
        secret = made["webhook_endpoint"]["signing_secret"]
        return f"Set STRIPE_METER_WEBHOOK_SECRET={secret} (Stripe shows it only now)."

    return [Change(text=f"Create the event destination {url}", apply=apply)]


def _create_meter(api: StripeApi, meter: Meter) -> Change:
    params: Any = {
        "display_name": meter.title,
        "event_name": meter.name,
        "default_aggregation": {"formula": "sum"},
        "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
    }

    async def apply() -> None:
        await api.call(lambda client: client.v1.billing.meters.create_async(params))

    return Change(text=f"Create the meter {meter.name}", apply=apply)


def _rename_meter(api: StripeApi, meter: Meter, id_: str) -> Change:
    async def apply() -> None:
        await api.call(lambda client: client.v1.billing.meters.update_async(id_, {"display_name": meter.title}))

    return Change(text=f"Rename the meter {meter.name} to {meter.title}", apply=apply)


def _create_price(api: StripeApi, meter: Meter, price: MeterPrice) -> Change:
    """Return the change that creates a product and a metered price. The meter must exist when it is applied."""
    product = f"{PRODUCT_PREFIX}{meter.name}"

    async def apply() -> None:
        try:
            await api.call(lambda client: client.v1.products.retrieve_async(product))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            await api.call(lambda client: client.v1.products.create_async({"id": product, "name": meter.title}))
        meter_id = (await meter_api.meters(api))[meter.name]["id"]
        params: Any = {
            "product": product,
            "currency": price.currency,
            "unit_amount_decimal": str(price.amount),
            "recurring": {"interval": price.interval, "usage_type": "metered", "meter": meter_id},
            "lookup_key": price.key,
        }
        await api.call(lambda client: client.v1.prices.create_async(params))

    text = f"Create the price {price.key}: {price.amount} per unit of {meter.name}"
    return Change(text=text, apply=apply)
