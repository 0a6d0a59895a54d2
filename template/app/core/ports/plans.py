"""The port for what users have paid for, and its null implementation: everybody is on the free plan."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Plans(Protocol):
    """What a user's plan allows."""

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:
        """The name of the user's plan, such as `free`."""
        ...

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:
        """How much of the resource is left in this period; `None` means without a limit."""
        ...

    async def consume(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> bool:
        """Counts the use of a resource, unless that is more than is left; whether it did. Many may ask at once."""
        ...

    async def give_back(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> None:
        """Takes a use back that came to nothing."""
        ...


class FreePlan:
    """Everybody is on the free plan, and nothing is metered."""

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
