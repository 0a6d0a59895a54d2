"""Prices: which plan a price at Stripe belongs to, and which price at Stripe sells a plan."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.core.errors import BadRequestError
from app.payments.errors import BillingRejectedError
from app.plans.catalog import Plan, PlanCatalog
from app.stripe import wire
from app.stripe.api import StripeApi
from app.stripe.settings import StripeSettings

CACHE_SECONDS: Final = 300


class Interval(StrEnum):
    """The billing interval of a plan."""

    MONTHLY = "monthly"
    YEARLY = "yearly"


_STRIPE_INTERVALS: Final = {Interval.MONTHLY: "month", Interval.YEARLY: "year"}


def product_id(plan: Plan) -> str:
    """Return the id of a plan's product at Stripe, which `app billing setup` creates."""
    return f"plan_{plan.name}"


class UnknownPriceError(BadRequestError):
    """No plan is sold at this interval."""

    code = "UNKNOWN_PRICE"

    def __init__(self, plan: str, interval: Interval) -> None:
        super().__init__(
            "This plan cannot be bought at this interval. GET /app/plans lists the plans and their prices.",
            details={"plan": plan, "interval": interval.value},
        )


@dataclass(slots=True)
class StripePrices:
    """The prices of plans.toml, as Stripe has them. Their ids are cached for five minutes.

    STRIPE_PRICE_ID_MONTHLY and STRIPE_PRICE_ID_YEARLY are prices of the lowest paid plan.
    """

    api: StripeApi
    catalog: PlanCatalog
    settings: StripeSettings
    _metered: dict[str, str] = field(default_factory=dict)
    """The intervals of metered prices, by their lookup keys."""
    _ids: dict[str, str] = field(default_factory=dict)
    _expires: float = 0.0

    def plan_of(self, price: wire.Price) -> Plan | None:
        """Return the plan that a price belongs to; `None` if it belongs to none.

        An old price, which has given its lookup key to its successor, belongs to the plan of its product.
        """
        if price.lookup_key and (plan := self.catalog.for_price(price.lookup_key)) is not None:
            return plan
        if price.id in self._configured.values():
            return self._lowest_paid
        return next((plan for plan in self.catalog.plans if product_id(plan) == price.product), None)

    async def plan_of_line(self, line: wire.PriceDetails) -> Plan | None:
        """Return the plan that the price of an invoice's line belongs to; `None` if it belongs to none."""
        plan = self.plan_of(wire.Price(id=line.price, product=line.product or ""))
        if plan is None:
            price = await self.api.price(line.price)
            plan = None if price is None else self.plan_of(price)
        return plan

    def best_item(self, items: Iterable[wire.Item]) -> tuple[wire.Item | None, Plan | None]:
        """Return the item of the highest plan, and the plan. Without a known plan, it is the first licensed item."""
        licensed = [item for item in items if item.price.is_licensed]
        known = [(item, plan) for item in licensed if (plan := self.plan_of(item.price)) is not None]
        if known:
            return max(known, key=lambda each: each[1].rank)
        return (licensed[0] if licensed else None), None

    async def id_of(self, plan: str, interval: Interval) -> str:
        """Return the id of the price of a plan.

        Raises:
            UnknownPriceError: plans.toml has no such plan, or no price of it at this interval.
            BillingRejectedError: Stripe has no such price; `app billing setup` creates it.
        """
        found = next((each for each in self.catalog.plans if each.name == plan), None)
        key = self._key_of(found, interval)
        if found is not None and found == self._lowest_paid and interval in self._configured:
            return self._configured[interval]
        if key is None:
            raise UnknownPriceError(plan, interval)
        if key not in self._ids or time.monotonic() > self._expires:
            await self._load()
        if key not in self._ids:
            raise BillingRejectedError
        return self._ids[key]

    def add_metered(self, key: str, interval: str) -> None:
        """Add a metered price to every subscription of the interval (`month` or `year`)."""
        self._metered[key] = interval

    async def metered_ids(self, interval: Interval) -> list[str]:
        """Return the ids of the metered prices that belong to a subscription of an interval.

        Raises:
            BillingRejectedError: Stripe has no such price; `app billing setup` creates it.
        """
        keys = [key for key, each in self._metered.items() if each == _STRIPE_INTERVALS[interval]]
        if keys and (not self._ids.keys() >= set(keys) or time.monotonic() > self._expires):
            await self._load()
        if not self._ids.keys() >= set(keys):
            raise BillingRejectedError
        return [self._ids[key] for key in keys]

    def metered_items(self, items: Iterable[wire.Item]) -> list[wire.Item]:
        """Return the items of metered prices that were added."""
        return [item for item in items if item.price.lookup_key in self._metered]

    async def _load(self) -> None:
        keys = [price.key for plan in self.catalog.plans for price in plan.prices] + list(self._metered)
        self._ids = {price.lookup_key: price.id for price in await self.api.prices(keys) if price.lookup_key}
        self._expires = time.monotonic() + CACHE_SECONDS

    @staticmethod
    def _key_of(plan: Plan | None, interval: Interval) -> str | None:
        prices = () if plan is None else plan.prices
        return next((price.key for price in prices if price.interval == _STRIPE_INTERVALS[interval]), None)

    @property
    def _lowest_paid(self) -> Plan | None:
        return next((plan for plan in self.catalog.plans if plan.rank > 0), None)

    @property
    def _configured(self) -> dict[Interval, str]:
        ids = {
            Interval.MONTHLY: self.settings.STRIPE_PRICE_ID_MONTHLY,
            Interval.YEARLY: self.settings.STRIPE_PRICE_ID_YEARLY,
        }
        return {interval: id_ for interval, id_ in ids.items() if id_}
