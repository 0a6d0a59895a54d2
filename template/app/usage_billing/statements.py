"""The statements that change the state of usage records."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from sqlalchemy import CursorResult, Executable, Update, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.db.database import Database
from app.core.db.models import utc_now
from app.stripe.models import StripeCustomer
from app.usage_billing.models import REASON_LENGTH, UsageRecord, UsageState

_NO_SYNC: Final = {"synchronize_session": False}
_PENDING: Final = col(UsageRecord.state) == UsageState.PENDING


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A record that this process sends, until its lease expires.

    Attributes:
        customer_id: `None` if the user has no customer at Stripe.
        attempt: the number of this attempt.
    """

    id: UUID
    meter: str
    quantity: int
    occurred_at: datetime
    customer_id: str | None
    attempt: int
    first_attempt_at: datetime
    repeats: int = 0

    @property
    def identifier(self) -> str:
        """The identifier of this usage at Stripe, which counts it once."""
        return f"{self.id}.{self.repeats}" if self.repeats else str(self.id)


async def claim(database: Database, limit: int, lease: timedelta, *, user_id: UUID | None = None) -> list[Claim]:
    """Claim records that are due, the oldest first. No other process gets them until the lease expires.

    Args:
        user_id: claim this user's pending records instead, whether or not they are due.
    """
    now = utc_now()
    wanted = col(UsageRecord.due_at) <= now if user_id is None else col(UsageRecord.user_id) == user_id
    due = (
        select(col(UsageRecord.id))
        .where(_PENDING, wanted)
        .order_by(col(UsageRecord.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
        # As a subquery, PostgreSQL may run it once per row, and the limit would not hold.
        .cte("due")
    )
    customer = (
        select(col(StripeCustomer.customer_id))
        .where(col(StripeCustomer.user_id) == col(UsageRecord.user_id))
        .scalar_subquery()
    )
    claimed = (
        update(UsageRecord)
        .where(col(UsageRecord.id).in_(select(due.c.id)), _PENDING)
        .values(
            due_at=now + lease,
            attempts=col(UsageRecord.attempts) + 1,
            first_attempt_at=func.coalesce(col(UsageRecord.first_attempt_at), now),
            customer_id=func.coalesce(col(UsageRecord.customer_id), customer),
        )
    )
    statement: Executable = claimed.returning(
        *(col(UsageRecord.id), col(UsageRecord.meter), col(UsageRecord.quantity), col(UsageRecord.occurred_at)),
        *(col(UsageRecord.customer_id), col(UsageRecord.attempts).label("attempt")),
        *(col(UsageRecord.first_attempt_at), col(UsageRecord.repeats)),
    )
    return [Claim(**row._mapping) for row in await database.execute(statement, {})]  # noqa: SLF001 - public


async def mark_sent(database: Database, ids: Collection[UUID]) -> None:
    """Mark records as counted by Stripe, even if their claims have expired. A report of a late rejection prevails."""
    accepted = update(UsageRecord).where(col(UsageRecord.id).in_(ids), col(UsageRecord.state) != UsageState.REJECTED)
    await _set(database, accepted, state=UsageState.SENT, reason=None)


async def park(database: Database, claims: Sequence[Claim]) -> None:
    """Park records whose user has no customer. The attempt doesn't count."""
    values = {"state": UsageState.PARKED, "attempts": 0, "first_attempt_at": None, "reason": None}
    await _set(database, _held(claims), **values)


async def close(database: Database, claims: Sequence[Claim], state: UsageState, reason: str) -> None:
    """Give records their final state."""
    await _set(database, _held(claims), state=state, reason=reason[:REASON_LENGTH])


async def retry(database: Database, claims: Sequence[Claim], delay: timedelta, reason: str) -> None:
    """Send records again later."""
    await _set(database, _held(claims), due_at=utc_now() + delay, reason=reason[:REASON_LENGTH])


async def unpark(database: Database) -> int:
    """Make records due whose user has become a customer, and return how many."""
    customers = select(col(StripeCustomer.user_id))
    parked = update(UsageRecord).where(
        col(UsageRecord.state) == UsageState.PARKED, col(UsageRecord.user_id).in_(customers)
    )
    return await _set(database, parked, state=UsageState.PENDING, due_at=utc_now())


async def send_again(database: Database, ids: Collection[UUID]) -> int:
    """Make records due that were rejected or are unclear, and return how many. Stripe must not have counted them."""
    async with database.transaction() as session:
        return await send_again_in(session, ids)


async def send_again_in(session: AsyncSession, ids: Collection[UUID]) -> int:
    """See `send_again`, in a transaction that is open."""
    closed = (UsageState.REJECTED, UsageState.UNCLEAR)
    statement = update(UsageRecord).where(col(UsageRecord.id).in_(ids), col(UsageRecord.state).in_(closed))
    fresh = {"attempts": 0, "first_attempt_at": None, "customer_id": None, "reason": None}
    values = fresh | {"state": UsageState.PENDING, "due_at": utc_now(), "repeats": col(UsageRecord.repeats) + 1}
    result = await session.execute(statement.values(**values), execution_options=_NO_SYNC)
    return cast("CursorResult[object]", result).rowcount


async def reject(database: Database, sent: Collection[tuple[UUID, int]], reason: str) -> int:
    """Mark records as not counted that Stripe had accepted first, and return how many.

    Args:
        sent: the ids, each with the number of repeats. A record that was sent again since then stays as it is.
    """
    accepted = (UsageState.SENT, UsageState.PENDING)
    named = tuple_(col(UsageRecord.id), col(UsageRecord.repeats)).in_(sent)
    statement = update(UsageRecord).where(named, col(UsageRecord.state).in_(accepted))
    return await _set(database, statement, state=UsageState.REJECTED, reason=reason[:REASON_LENGTH])


def _held(claims: Sequence[Claim]) -> Update:
    """Match the records that still belong to these claims."""
    held = tuple_(col(UsageRecord.id), col(UsageRecord.attempts)).in_([(each.id, each.attempt) for each in claims])
    return update(UsageRecord).where(held, _PENDING)


async def _set(database: Database, statement: Update, **values: object) -> int:
    async with database.transaction() as session:
        result = await session.execute(statement.values(**values), execution_options=_NO_SYNC)
    return cast("CursorResult[object]", result).rowcount
