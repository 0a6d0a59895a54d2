"""A plan with a limit, for tests of what uses quota."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import QuotaExceededError
from app.core.ports.plans import FreePlan, Reservation


class Metered(FreePlan):
    """Every user's plan: of one resource, `left` may still be used.

    Attributes:
        reserved: the users and amounts of all reservations.
    """

    def __init__(self, resource: str, left: int) -> None:
        self.resource = resource
        self.left = left
        self.reserved: list[tuple[UUID, int]] = []

    async def reserve(self, session: AsyncSession, user_id: UUID, resource: str, amount: int = 1) -> Reservation:
        """See `Plans.reserve`."""
        assert session.is_active
        if resource == self.resource:
            if self.left < amount:
                raise QuotaExceededError(resource, plan="free", limit=2, used=2, resets_at=None)
            self.left -= amount
            self.reserved.append((user_id, amount))
        return await super().reserve(session, user_id, resource, amount)

    async def settle(self, session: AsyncSession, reservation: Reservation, actual: int) -> None:
        """See `Plans.settle`."""
        assert session.is_active
        if reservation.resource == self.resource:
            self.left += reservation.amount - actual

    async def give_back(self, session: AsyncSession, reservation: Reservation) -> None:
        """See `Plans.give_back`."""
        await self.settle(session, reservation, 0)
