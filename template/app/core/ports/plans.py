"""The port for subscription plans, and its null implementation: every user has the free plan."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Plans(Protocol):
    """Plans of users and their quotas."""

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:
        """Return the name of the user's plan, such as `free`."""
        ...

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:
        """Return the remaining quota of a resource in this period; `None` if it is unlimited."""
        ...

    async def consume(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> bool:
        """Consume quota, unless less than `amount` is left. Return whether it was consumed. Atomic."""
        ...

    async def give_back(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> None:
        """Give back quota that was consumed but not used."""
        ...


class FreePlan:
    """The null implementation: every user has the free plan, without quotas."""

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:  # noqa: ARG002 - the port's signature
        """See `Plans.plan_of`."""
        return "free"

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:  # noqa: ARG002
        """See `Plans.remaining`."""
        return None

    async def consume(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> bool:  # noqa: ARG002
        """See `Plans.consume`."""
        return True

    async def give_back(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> None:
        """See `Plans.give_back`."""
