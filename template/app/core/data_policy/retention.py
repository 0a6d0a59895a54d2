"""Data retention: delete the rows that have expired by the rules of every module."""

from collections.abc import AsyncIterator
from typing import Final, cast

import structlog
from sqlalchemy import CursorResult, delete, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.models import utc_now
from app.core.manifest import RetentionRule, modules_of
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 1000
"""Rows that one transaction deletes, so that no table is locked for long."""


async def cleanup_old_data(runtime: Runtime) -> dict[str, int]:
    """Job: delete expired rows in every module, dependent modules first. Idempotent.

    Returns:
        The number of deleted rows by table.

    Raises:
        ExceptionGroup: some tables could not be cleaned up. All the others were.
    """
    deleted: dict[str, int] = {}
    errors: list[Exception] = []
    for rule in _rules(runtime):
        table = str(inspect(rule.model).local_table)
        try:
            async for count in _delete_batches(runtime, rule):
                deleted[table] = deleted.get(table, 0) + count
        except Exception as error:  # noqa: BLE001 - a failure in one table must not stop the others
            errors.append(error)
    logger.info("old_data_removed", **deleted)
    if errors:
        raise ExceptionGroup("Some old data could not be deleted.", errors)
    return deleted


def _rules(runtime: Runtime) -> list[RetentionRule]:
    return [rule for module in reversed(modules_of(runtime)) for rule in reversed(module.retention)]


async def _delete_batches(runtime: Runtime, rule: RetentionRule) -> AsyncIterator[int]:
    while True:
        async with runtime.database.transaction() as session:
            if rule.delete is not None:
                count = await rule.delete(runtime, session, BATCH)
            else:
                count = await _delete_batch(runtime, session, rule)
        yield count
        if count < BATCH:
            return


async def _delete_batch(runtime: Runtime, session: AsyncSession, rule: RetentionRule) -> int:
    (key,) = inspect(rule.model).primary_key
    batch = select(key).where(rule.expired(runtime, utc_now())).limit(BATCH)
    statement = delete(rule.model).where(key.in_(batch))
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[object]", result).rowcount
