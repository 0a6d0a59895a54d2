"""The port for subscriptions: which plan a user is entitled to, and since when. `app.payments` implements it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Entitlement:
    """A user's right to a plan.

    Attributes:
        plan: the plan's name in plans.toml.
        period_start: the start of the billing period, from which usage is counted.
        period_end: its end. Once it has passed, as in a grace period, months are counted from it.
    """

    plan: str
    period_start: datetime
    period_end: datetime


class Entitlements(Protocol):
    """The subscriptions of users."""

    async def current(self, session: AsyncSession, user_id: UUID, now: datetime) -> Entitlement | None:
        """Return what a user is entitled to now; `None` for the default plan."""
        ...


class DefaultPlanOnly:
    """The null implementation: every user has the default plan."""

    async def current(self, session: AsyncSession, user_id: UUID, now: datetime) -> Entitlement | None:
        """See `Entitlements.current`."""
