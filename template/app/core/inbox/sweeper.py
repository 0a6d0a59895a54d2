"""The inbox sweeper: processes events that are due for a retry, and those that a killed process left behind."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.inbox.service import MAX_ATTEMPTS, process_inbox_event, set_where
from app.core.runtime import Runtime
from app.kit.periodic import repeating

INTERVAL: Final = timedelta(seconds=30)
BATCH: Final = 100
LOST: Final = "The process ended during the last attempt."


async def sweep(runtime: Runtime, stop: asyncio.Event | None = None) -> None:
    """Process every due event, one after another, until none is left or `stop` is set."""
    now = utc_now()
    due = (col(InboxEvent.status) == InboxStatus.PENDING, col(InboxEvent.next_attempt_at) <= now)
    async with runtime.database.transaction() as session:
        spent = col(InboxEvent.attempts) >= MAX_ATTEMPTS
        await set_where(session, *due, spent, status=InboxStatus.FAILED, error=LOST)
    statement = select(col(InboxEvent.id)).where(*due).order_by(col(InboxEvent.next_attempt_at)).limit(BATCH)
    while True:
        async with runtime.database.reading() as session:
            ids = (await session.scalars(statement)).all()
        for id_ in ids:
            if stop is not None and stop.is_set():
                return
            # Safe with several processes: a claimed event is not due.
            await process_inbox_event(runtime, str(id_))
        if len(ids) < BATCH:
            return


def sweeping(runtime: Runtime) -> AbstractAsyncContextManager[None]:
    """Sweep at once and then every 30 seconds, until the block ends.

    An event that is cut off at the end is due again when its lease expires.
    """
    return repeating(lambda stop: sweep(runtime, stop), interval=INTERVAL, failure="inbox_sweep_failed")
