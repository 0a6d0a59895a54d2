"""Rows that nobody needs any longer: each module says in its manifest which, and one job removes them all."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

import structlog
from sqlalchemy import ColumnElement, CursorResult, and_, delete, inspect, or_, select
from sqlmodel import SQLModel, col

from app.core.inbox import InboxEvent, InboxStatus
from app.core.models import utc_now

if TYPE_CHECKING:
    from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 1000
"""How many rows one transaction removes: none locks a table for long."""
KEEP_DONE: Final = timedelta(days=30)
"""How long a handled event of the inbox stays: longer than any provider sends one again."""
KEEP_FAILED: Final = timedelta(days=90)
"""How long one that has failed waits for somebody to run it again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleanup:
    """Rows of a table that go when their time has come.

    Attributes:
        model: the table; its key is one column.
        expired: which rows: `lambda _runtime, now: col(Project.deleted_at) < now - timedelta(days=30)`.
    """

    model: type[SQLModel]
    expired: Callable[["Runtime", datetime], ColumnElement[bool]]


CORE_CLEANUPS: Final = (
    Cleanup(
        model=InboxEvent,
        expired=lambda _runtime, now: or_(
            and_(col(InboxEvent.status) == InboxStatus.DONE, col(InboxEvent.processed_at) < now - KEEP_DONE),
            and_(col(InboxEvent.status) == InboxStatus.FAILED, col(InboxEvent.received_at) < now - KEEP_FAILED),
        ),
    ),
)


async def cleanup_old_data(runtime: "Runtime") -> dict[str, int]:
    """The job: removes what has expired in every module, those first that stand on others. May be repeated.

    Returns:
        How many rows of which table went.

    Raises:
        ExceptionGroup: some tables could not be cleaned; all others were.
    """
    removed: dict[str, int] = {}
    errors: list[Exception] = []
    for cleanup in (*_of_modules(runtime), *CORE_CLEANUPS):
        table = str(inspect(cleanup.model).local_table)
        try:
            async for count in _remove(runtime, cleanup):
                removed[table] = removed.get(table, 0) + count
        except Exception as error:  # noqa: BLE001 - one table's trouble is not the others'
            errors.append(error)
    logger.info("old_data_removed", **removed)
    if errors:
        raise ExceptionGroup("Some old data could not be removed.", errors)
    return removed


def _of_modules(runtime: "Runtime") -> list[Cleanup]:
    return [cleanup for module in reversed(runtime.modules) for cleanup in reversed(module.cleanups)]


async def _remove(runtime: "Runtime", cleanup: Cleanup) -> AsyncIterator[int]:
    (key,) = inspect(cleanup.model).primary_key
    some = select(key).where(cleanup.expired(runtime, utc_now())).limit(BATCH)
    statement = delete(cleanup.model).where(key.in_(some))
    while True:
        async with runtime.database.transaction() as session:
            result = await session.execute(statement, execution_options={"synchronize_session": False})
        count = cast("CursorResult[object]", result).rowcount
        yield count
        if count < BATCH:
            return
