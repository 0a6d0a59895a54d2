"""The SQL statements on usage. Each changes a row atomically, without a separate read."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, CursorResult, Select, Update, case, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import insert_on
from app.core.db.models import utc_now
from app.plans.models import PlanUsage

LEVEL_PERIOD: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The stored `period_start` of levels, which have no period."""

_USED: Final = col(PlanUsage.used)
_UNIQUE: Final = ("user_id", "resource", "period_start")


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """The row that a resource is counted in."""

    user_id: UUID
    resource: str
    period_start: datetime
    period_end: datetime | None


async def add_to_counter(session: AsyncSession, row: Counted, amount: int, limit: int | None) -> bool:
    """Add to a counter unless the sum would be above the limit. Return whether it was added."""
    if limit is not None and amount > limit:
        return False
    insert = insert_on(session)(PlanUsage).values(**_values(row), used=amount)
    total = _USED + insert.excluded.used
    statement = insert.on_conflict_do_update(
        index_elements=_UNIQUE,
        set_={"used": total, "period_end": insert.excluded.period_end, "updated_at": insert.excluded.updated_at},
        where=None if limit is None else total <= limit,
    ).returning(_USED)
    return (await session.execute(statement)).first() is not None


async def add_to_level(
    session: AsyncSession, row: Counted, amount: int, limit: int | None, measure: Select[int] | None
) -> bool:
    """Add to a level unless it would be above the limit. Return whether it was added.

    The first reservation, and each one that would be refused, measure the level again. So rows that existed before this
    table count, and rows that were deleted without giving back quota stop counting.
    """
    measured = literal(0, BigInteger) if measure is None else measure.scalar_subquery()
    insert = insert_on(session)(PlanUsage).values(**_values(row), used=measured + amount)
    known = _USED + amount
    total = case((known > insert.excluded.used, known), else_=insert.excluded.used) if measure is not None else known
    statement = insert.on_conflict_do_update(
        index_elements=_UNIQUE,
        set_={"used": total, "updated_at": insert.excluded.updated_at},
        where=None if limit is None else total <= limit,
    ).returning(_USED)
    used = (await session.execute(statement)).scalar_one_or_none()
    if used is not None:
        return limit is None or used <= limit
    if measure is None or limit is None:
        return False
    # PostgreSQL has locked the row, although it did not change it. So this statement sees every committed reservation.
    again = update(PlanUsage).where(*_is(row), measured + amount <= limit).values(used=measured + amount)
    return await _changed(session, again)


async def adjust(session: AsyncSession, row: Counted, difference: int) -> None:
    """Add a difference, negative or positive, without regard to the limit. The result is at least zero."""
    changed = case((_USED + difference < 0, 0), else_=_USED + difference)
    await _changed(session, update(PlanUsage).where(*_is(row)).values(used=changed))


async def used_amounts(
    session: AsyncSession, user_id: UUID, period_starts: Collection[datetime]
) -> dict[tuple[str, datetime], int]:
    """Return the amounts that a user has used in some periods, by resource and start of the period."""
    where = col(PlanUsage.user_id) == user_id, col(PlanUsage.period_start).in_(period_starts)
    columns = col(PlanUsage.resource), col(PlanUsage.period_start), _USED
    rows = await session.execute(select(*columns).where(*where))
    return {(resource, start): used for resource, start, used in rows}


def _is(row: Counted) -> tuple[ColumnElement[bool], ...]:
    return (
        col(PlanUsage.user_id) == row.user_id,
        col(PlanUsage.resource) == row.resource,
        col(PlanUsage.period_start) == row.period_start,
    )


def _values(row: Counted) -> dict[str, object]:
    now = utc_now()
    return {
        "id": uuid7(),
        "created_at": now,
        "updated_at": now,
        "user_id": row.user_id,
        "resource": row.resource,
        "period_start": row.period_start,
        "period_end": row.period_end,
    }


async def _changed(session: AsyncSession, statement: Update) -> bool:
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[object]", result).rowcount == 1
