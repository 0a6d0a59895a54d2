"""The plan of a user, from the subscriptions of every provider."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.models import Subscription
from app.payments.repository import SubscriptionRepository
from app.plans.catalog import PlanCatalog
from app.plans.entitlements import Entitlement


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionEntitlements:
    """The highest-ranked plan among a user's subscriptions that give access, from all providers.

    Attributes:
        catalog: the plans.
        sandbox: whether sandbox subscriptions give access. False in production.
    """

    catalog: PlanCatalog
    sandbox: bool

    async def current(self, session: AsyncSession, user_id: UUID, now: datetime) -> Entitlement | None:
        """See `app.plans.entitlements.Entitlements.current`."""
        rows = await SubscriptionRepository(session).entitling(user_id, sandbox=self.sandbox, now=now)
        plan = self.catalog.highest(row.plan for row in rows if row.plan is not None)
        best = max((row for row in rows if row.plan == plan.name), key=_end, default=None)
        if best is None:
            return None
        start = best.period_start or best.created_at
        return Entitlement(plan=plan.name, period_start=start, period_end=best.period_end or _end(best))

    async def plan_of(self, session: AsyncSession, user_id: UUID, now: datetime) -> str:
        """Return the name of a user's plan."""
        entitlement = await self.current(session, user_id, now)
        return self.catalog.default.name if entitlement is None else entitlement.plan


def _end(row: Subscription) -> datetime:
    # `access_until` is set, because the row gives access.
    return row.access_until or row.taken_at
