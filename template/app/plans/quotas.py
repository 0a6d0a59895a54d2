"""The implementation of the core's port for plans: users' plans and quotas, counted in the database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.models import utc_now
from app.core.errors import QuotaExceededError
from app.core.ports.plans import Reservation, ResourceUsage
from app.plans import statements
from app.plans.catalog import Limit, LimitKind, Plan, PlanCatalog
from app.plans.entitlements import Entitlements
from app.plans.periods import Period, billing_month, calendar_month
from app.plans.statements import LEVEL_PERIOD, Counted

logger = structlog.stdlib.get_logger(__name__)


class Subscribed(NamedTuple):
    """A user's plan, and the period in which counters count."""

    plan: Plan
    period: Period


@dataclass(frozen=True, slots=True)
class PlanQuotas:
    """Quotas by the plans of `plans.toml`.

    Args:
        catalog: the plans.
        entitlements: returns the plan that a user is entitled to.
        clock: returns the current time.
    """

    catalog: PlanCatalog
    entitlements: Entitlements
    clock: Callable[[], datetime] = utc_now

    async def subscribed(self, session: AsyncSession, user_id: UUID) -> Subscribed:
        """Return the user's plan and period."""
        now = self.clock()
        entitlement = await self.entitlements.current(session, user_id, now)
        if entitlement is None:
            return Subscribed(self.catalog.default, calendar_month(now))
        plan = self.catalog.find(entitlement.plan)
        if plan is None:
            logger.error("plan_unknown", plan=entitlement.plan, hint="Users subscribe to it; add it to plans.toml.")
            return Subscribed(self.catalog.default, calendar_month(now))
        return Subscribed(plan, billing_month(entitlement.period_start, entitlement.period_end, now))

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:
        """See `Plans.plan_of`."""
        return (await self.subscribed(session, user_id)).plan.name

    async def reserve(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> Reservation:
        """See `Plans.reserve`."""
        if amount < 0:
            raise ValueError(f"The amount of {resource} must not be negative: {amount}.")
        declared = self.catalog.limit(resource)
        if declared is None:
            return Reservation(user_id=user_id, resource=resource, amount=amount)
        plan, period = await self.subscribed(session, user_id)
        row, limit = _row(declared, user_id, resource, period), _amount(plan.limits[resource], declared)
        if declared.kind is LimitKind.COUNTER:
            added = await statements.add_to_counter(session, row, amount, limit)
        else:
            measure = self.catalog.measures.get(resource)
            added = await statements.add_to_level(session, row, amount, limit, measure and measure(user_id))
        if not added:
            used = (await self._used(session, user_id, {resource: declared}, period))[resource]
            raise _exceeded(resource, plan, declared, used, row.period_end)
        return Reservation(
            user_id=user_id,
            resource=resource,
            amount=amount,
            period_start=row.period_start,
            resets_at=row.period_end,
        )

    async def settle(self, session: AsyncSession, reservation: Reservation, actual: int) -> None:
        """See `Plans.settle`."""
        if actual < 0:
            raise ValueError(f"The amount of {reservation.resource} must not be negative: {actual}.")
        if reservation.period_start is None or actual == reservation.amount:
            return
        row = Counted(
            user_id=reservation.user_id,
            resource=reservation.resource,
            period_start=reservation.period_start,
            period_end=reservation.resets_at,
        )
        await statements.adjust(session, row, actual - reservation.amount)

    async def give_back(self, session: AsyncSession, reservation: Reservation) -> None:
        """See `Plans.give_back`."""
        await self.settle(session, reservation, 0)

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:
        """See `Plans.remaining`."""
        declared = self.catalog.limit(resource)
        if declared is None:
            return None
        plan, period = await self.subscribed(session, user_id)
        limit = _amount(plan.limits[resource], declared)
        if limit is None:
            return None
        return max(0, limit - (await self._used(session, user_id, {resource: declared}, period))[resource])

    async def usage(self, session: AsyncSession, user_id: UUID) -> Sequence[ResourceUsage]:
        """See `Plans.usage`."""
        plan, period = await self.subscribed(session, user_id)
        used = await self._used(session, user_id, self.catalog.limits, period)
        return [
            ResourceUsage(
                resource=name,
                limit=plan.limits[name],
                used=used[name],
                resets_at=period.end if declared.kind is LimitKind.COUNTER else None,
                unit=declared.unit,
            )
            for name, declared in self.catalog.limits.items()
        ]

    async def _used(
        self, session: AsyncSession, user_id: UUID, limits: Mapping[str, Limit], period: Period
    ) -> dict[str, int]:
        """Return the used amounts. A level with a measure is measured."""
        stored = await statements.used_amounts(session, user_id, (period.start, LEVEL_PERIOD))
        used = {}
        for name, declared in limits.items():
            measure = self.catalog.measures.get(name)
            if declared.kind is LimitKind.LEVEL and measure is not None:
                used[name] = int(await session.scalar(measure(user_id)) or 0)
            else:
                used[name] = stored.get((name, _row(declared, user_id, name, period).period_start), 0)
        return used


def _row(declared: Limit, user_id: UUID, resource: str, period: Period) -> Counted:
    start, end = (LEVEL_PERIOD, None) if declared.kind is LimitKind.LEVEL else period
    return Counted(user_id=user_id, resource=resource, period_start=start, period_end=end)


def _amount(limit: int | None, declared: Limit) -> int | None:
    return None if limit is None else limit * declared.unit


def _exceeded(resource: str, plan: Plan, declared: Limit, used: int, resets_at: datetime | None) -> QuotaExceededError:
    limit = plan.limits[resource]
    assert limit is not None  # noqa: S101 - without a limit nothing is refused
    in_units = -(-used // declared.unit)
    return QuotaExceededError(resource, plan=plan.name, limit=limit, used=in_units, resets_at=resets_at)
