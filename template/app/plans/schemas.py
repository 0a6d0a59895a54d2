"""Request and response bodies of the routes for plans."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from app.core.ports.plans import ResourceUsage


class PriceRead(BaseModel):
    """A price of a plan."""

    model_config = ConfigDict(from_attributes=True)

    key: str = Field(description="Identifies the price in a checkout.", examples=["pro_monthly"])
    amount: int = Field(description="In the currency's smallest unit, such as cents.", examples=[1900])
    currency: str = Field(description="A code of ISO 4217 in lower case.", examples=["usd"])
    interval: str = Field(description="How often it is paid: `month` or `year`.", examples=["month"])


class PlanRead(BaseModel):
    """A plan."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["pro"])
    title: str = Field(examples=["Pro"])
    rank: int = Field(description="Orders the plans; a higher one includes more.")
    features: list[str]
    limits: dict[str, int | None] = Field(description="By name; null means unlimited.", examples=[{"exports": 5}])
    trial_days: int = Field(description="Days of a trial, for a customer's first subscription.")
    prices: list[PriceRead]
    products: list[str] = Field(description="Product ids in app stores.")


class PlanList(BaseModel):
    """All plans, the lowest first."""

    current: str = Field(description="The current user's plan.", examples=["free"])
    items: list[PlanRead]


class ResourceUsageRead(BaseModel):
    """The usage of one resource, in the unit of its limit. Fractions are rounded up."""

    resource: str = Field(examples=["ai_requests"])
    limit: int | None = Field(description="Null means unlimited.")
    used: int = Field(description="In the current period, or now if it doesn't reset.")
    remaining: int | None = Field(description="Null means unlimited.")
    resets_at: datetime | None = Field(description="When it starts at zero again. Null for a level, such as projects.")

    @classmethod
    def of(cls, usage: ResourceUsage) -> Self:
        """Return the usage as the response shows it."""
        used = -(-usage.used // usage.unit)
        return cls(
            resource=usage.resource,
            limit=usage.limit,
            used=used,
            remaining=None if usage.limit is None else max(0, usage.limit - used),
            resets_at=usage.resets_at,
        )


class UsageList(BaseModel):
    """The current user's usage."""

    plan: str = Field(description="The current user's plan.", examples=["free"])
    items: list[ResourceUsageRead]
