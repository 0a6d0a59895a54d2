"""Quota for slow work, such as a call to a provider: no database connection is held during the work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from app.core.ports.plans import Reservation
from app.core.runtime import Runtime


@asynccontextmanager
async def metered(runtime: Runtime, user_id: UUID, resource: str, amount: int = 1) -> AsyncIterator[Reservation]:
    """Reserve quota for the block, and give it back if the block fails.

    Quota stays used where the work may have been done: if the client disconnects, the block is cancelled, or the
    process is killed. To count another amount than the reserved one, settle the reservation after the block.

    Raises:
        QuotaExceededError: less than `amount` is left.
    """
    async with runtime.database.transaction() as session:
        reservation = await runtime.plans.reserve(session, user_id, resource, amount)
    try:
        yield reservation
    except (ClientDisconnect, WebSocketDisconnect):
        raise
    except Exception:
        async with runtime.database.transaction() as session:
            await runtime.plans.give_back(session, reservation)
        raise
