"""The port for usage-based billing, and its null implementation: usage is not billed."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class UsageRecorder(Protocol):
    """Records what users are billed for, such as tokens."""

    async def record(
        self,
        session: AsyncSession,
        user_id: UUID,
        meter: str,
        quantity: int = 1,
        *,
        key: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Record usage as part of the session's transaction. It is billed once, after the commit.

        Args:
            session: of a transaction. On rollback nothing is billed.
            user_id: the user who is billed.
            meter: the name of a declared meter.
            quantity: how much was used.
            key: identifies the usage of the user and the meter, so that work that is repeated, such as a job, is billed
                once.
            at: when it was used, instead of now.

        Raises:
            LookupError: the meter isn't declared.
            ValueError: the quantity is not a whole number, not positive or too large, the key is too long or not
                printable, or the time has no time zone, is in the future or too long ago.
        """
        ...


class UnbilledUsage:
    """The null implementation: usage is neither recorded nor billed."""

    async def record(
        self,
        session: AsyncSession,
        user_id: UUID,
        meter: str,
        quantity: int = 1,
        *,
        key: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """See `UsageRecorder.record`."""
