"""The port for subscriptions: the plan that a user is entitled to, and its period. `app.payments` implements it."""

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
        period_end: the end of the billing period. After it, as in a grace period, months are counted from this time.
    """

    plan: str
    period_start: datetime
    period_end: datetime


class Entitlements(Protocol):
    """The subscriptions of users."""

    async def current(self, session: AsyncSession, user_id: UUID, now: datetime) -> Entitlement | None:
        """Return the user's current entitlement; `None` for the default plan."""
        ...


class DefaultPlanOnly:
    """The null implementation: every user has the default plan."""

    async def current(self, session: AsyncSession, user_id: UUID, now: datetime) -> Entitlement | None:
        """See `Entitlements.current`."""
