"""Set up an account at Stripe: products, prices, the customer portal and the webhook endpoint, from plans.toml.

Each step compares the account with what this project needs, and returns the changes. Repeating it changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import stripe

from app.core.runtime import Runtime
from app.plans.catalog import Plan, PlanCatalog, Price
from app.stripe.api import API_VERSION, StripeApi
from app.stripe.errors import is_missing
from app.stripe.portal import MANAGED, portal_configuration
from app.stripe.prices import product_id
from app.stripe.settings import API_BASE, StripeSettings
from app.stripe.snapshots import money
from app.stripe.webhook import EVENTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference between the account and this project.

    Attributes:
        text: what applying it does.
        apply: applies it, and returns what the user has to know, such as a new secret.
    """

    text: str
    apply: Callable[[], Awaitable[str | None]]


class SetupStep(Protocol):
    """A part of the account."""

    async def __call__(self, runtime: Runtime) -> Sequence[Change]:
        """Return the changes that the account needs. Changes nothing."""
        ...


@dataclass(slots=True)
class StripeSetup:
    """The steps of `app billing setup`, as a resource of the runtime. Another module adds its own in its lifespan."""

    steps: list[SetupStep] = field(default_factory=lambda: [products_and_prices, portal, webhook_endpoint])

    async def changes(self, runtime: Runtime) -> list[Change]:
        """Return the changes that the account needs, in the order in which they have to be applied."""
        return [change for step in self.steps for change in await step(runtime)]


async def products_and_prices(runtime: Runtime) -> Sequence[Change]:
    """Compare a product per plan, and its prices, which are found by their lookup keys."""
    api, changes = runtime.resource(StripeApi), list[Change]()
    for plan in runtime.resource(PlanCatalog).plans:
        if plan.prices:
            changes += await _product(api, plan)
            found = {price.lookup_key: price for price in await api.prices([price.key for price in plan.prices])}
            for price in plan.prices:
                there = found.get(price.key)
                same = (price.amount, price.currency, price.interval)
                if there is None:
                    changes.append(_create_price(api, plan, price, None))
                elif (there.unit_amount, there.currency, there.recurring and there.recurring.interval) != same:
                    changes.append(_create_price(api, plan, price, there.id))
    return changes


async def portal(runtime: Runtime) -> Sequence[Change]:
    """Compare the configuration of the customer portal."""
    api, settings = runtime.resource(StripeApi), runtime.settings
    wanted: Any = {
        "business_profile": {"headline": f"Your subscription to {settings.PROJECT_NAME}"[:60]},
        "default_return_url": settings.PUBLIC_URL,
        "features": {
            "customer_update": {"enabled": True, "allowed_updates": ["address", "email", "tax_id"]},
            "invoice_history": {"enabled": True},
            "payment_method_update": {"enabled": True},
            "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
        },
        "metadata": MANAGED,
    }
    there = await portal_configuration(api)

    async def apply() -> None:
        if there is None:
            await api.call(lambda client: client.v1.billing_portal.configurations.create_async(wanted))
        else:
            await api.call(lambda client: client.v1.billing_portal.configurations.update_async(there["id"], wanted))

    if there is not None and _contains(there, wanted):
        return []
    return [Change(text=f"{'Create' if there is None else 'Update'} the customer portal's configuration", apply=apply)]


async def webhook_endpoint(runtime: Runtime) -> Sequence[Change]:
    """Compare the webhook endpoint and its events. Stripe reaches only public servers with TLS."""
    api = runtime.resource(StripeApi)
    url = f"{runtime.settings.public_api_url}/public/webhooks/stripe"
    if not url.startswith("https://") and runtime.resource(StripeSettings).STRIPE_API_BASE == API_BASE:
        return []
    page = await api.call(lambda client: client.v1.webhook_endpoints.list_async({"limit": 100}))
    there = next((each for each in page["data"] if each["url"] == url), None)

    async def create() -> str:
        made = await api.call(
            lambda client: client.v1.webhook_endpoints.create_async(
                {"url": url, "enabled_events": list(EVENTS), "api_version": API_VERSION}
            )
        )
        return f"Set STRIPE_WEBHOOK_SECRET={made['secret']} (Stripe shows it only now)."

    async def update() -> None:
        await api.call(
            lambda client: client.v1.webhook_endpoints.update_async(
                str(there and there["id"]),
                {"enabled_events": list(EVENTS), "disabled": False},
            )
        )

    if there is None:
        return [Change(text=f"Create the webhook endpoint {url}", apply=create)]
    events = set(there["enabled_events"])
    if ("*" in events or events >= set(EVENTS)) and there["status"] == "enabled":
        return []
    return [Change(text=f"Update the events of the webhook endpoint {url}", apply=update)]


async def _product(api: StripeApi, plan: Plan) -> list[Change]:
    id_ = product_id(plan)
    try:
        there = await api.call(lambda client: client.v1.products.retrieve_async(id_))
    except stripe.InvalidRequestError as error:
        if not is_missing(error):
            raise
        there = None

    async def create() -> None:
        await api.call(lambda client: client.v1.products.create_async({"id": id_, "name": plan.title}))

    async def update() -> None:
        await api.call(lambda client: client.v1.products.update_async(id_, {"name": plan.title, "active": True}))

    if there is None:
        return [Change(text=f"Create the product {plan.title}", apply=create)]
    if (there["name"], there["active"]) != (plan.title, True):
        return [Change(text=f"Update the product {plan.title}", apply=update)]
    return []


def _create_price(api: StripeApi, plan: Plan, price: Price, old: str | None) -> Change:
    """Return the change that creates a price. Prices cannot be changed: the new one takes over the lookup key.

    Existing subscriptions keep the old price, whose product still names the plan.
    """

    async def apply() -> None:
        await api.call(
            lambda client: client.v1.prices.create_async(
                {
                    "product": product_id(plan),
                    "currency": price.currency,
                    "unit_amount": price.amount,
                    "recurring": {"interval": price.interval},
                    "lookup_key": price.key,
                    "transfer_lookup_key": True,
                }
            )
        )
        if old is not None:
            await api.call(lambda client: client.v1.prices.update_async(old, {"active": False}))

    text = f"{price.key}: {money(price.amount, price.currency)} per {price.interval}"
    verb = "Create the price" if old is None else "Replace the price"
    return Change(text=f"{verb} {text}", apply=apply)


def _contains(there: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether a JSON value has everything that is wanted of it."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_contains(there.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and sorted(there) == sorted(wanted)
    return bool(there == wanted)
