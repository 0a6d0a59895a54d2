"""The port for subscription plans and their limits, and its null implementation: the free plan, without limits.

A limit is either a counter, which starts at zero in each period (`ai_requests`), or a level: a quantity at a point in
time (`projects`). All amounts are whole numbers; those of `storage_mb` are bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """Quota that counts as used until it is settled or given back.

    Attributes:
        period_start: the period in which it counts; `None` for a level, or where nothing is counted.
        resets_at: the end of that period.
    """

    user_id: UUID
    resource: str
    amount: int
    period_start: datetime | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceUsage:
    """A user's usage of one resource.

    Attributes:
        limit: `None` if it is unlimited.
        used: in this period for a counter, now for a level.
        resets_at: when the counter starts at zero again; `None` for a level.
        unit: the number of amounts in one of the limit's units, such as the bytes of a megabyte.
    """

    resource: str
    limit: int | None
    used: int
    resets_at: datetime | None
    unit: int = 1


class Plans(Protocol):
    """Plans of users and their quotas. Every change is one atomic statement in the session's transaction.

    The database keeps other transactions of the same user and resource waiting until that transaction ends. Before
    something slow, such as a call to a provider, reserve in a transaction of its own, and settle or give back later.
    """

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:
        """Return the name of the user's plan, such as `free`."""
        ...

    async def reserve(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> Reservation:
        """Use quota: reserve before the work, so that parallel requests cannot exceed the limit.

        Raises:
            QuotaExceededError: less than `amount` is left.
            LookupError: the resource isn't declared.
            ValueError: the amount is negative.
        """
        ...

    async def settle(self, session: AsyncSession, reservation: Reservation, actual: int) -> None:
        """Replace the reserved amount by the actual one. Call it once for each reservation.

        More than was reserved is counted in full, even beyond the limit: it has been used.
        """
        ...

    async def give_back(self, session: AsyncSession, reservation: Reservation) -> None:
        """Give back quota that was reserved but not used, or a level that was reduced. Once for each reservation."""
        ...

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:
        """Return the remaining quota of a resource; `None` if it is unlimited."""
        ...

    async def usage(self, session: AsyncSession, user_id: UUID) -> Sequence[ResourceUsage]:
        """Return the usage of every limited resource."""
        ...


class FreePlan:
    """The null implementation: every user has the free plan, without limits, and nothing is counted."""

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:  # noqa: ARG002 - the port's signature
        """See `Plans.plan_of`."""
        return "free"

    async def reserve(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> Reservation:  # noqa: ARG002
        """See `Plans.reserve`."""
        return Reservation(user_id=user_id, resource=resource, amount=amount)

    async def settle(self, session: AsyncSession, reservation: Reservation, actual: int) -> None:
        """See `Plans.settle`."""

    async def give_back(self, session: AsyncSession, reservation: Reservation) -> None:
        """See `Plans.give_back`."""

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:  # noqa: ARG002
        """See `Plans.remaining`."""
        return None

    async def usage(self, session: AsyncSession, user_id: UUID) -> Sequence[ResourceUsage]:  # noqa: ARG002
        """See `Plans.usage`."""
        return ()
