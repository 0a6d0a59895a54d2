"""Parts of random histories: whatever happens, what is stored ends equal to what the provider says."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from hypothesis import HealthCheck, settings

from app.core.db.database import Database
from app.core.inbox.service import MAX_ATTEMPTS
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.errors import ConcurrentChangeError
from app.payments.port import BillingProvider, ProviderUnavailableError
from app.payments.repository import SubscriptionRepository
from app.payments.store import COPIED, ENDED
from tests.core.inbox.shop import handle
from tests.payments.provider_contract import Interrupted

THOROUGH: Final = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def histories(few: int) -> settings:
    """Return the settings of a test: a few histories, the same in each run, or 500 random ones."""
    return settings(
        max_examples=500 if THOROUGH else few,
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@asynccontextmanager
async def undone(database: Database) -> AsyncIterator[None]:
    """Undo every change of a history, in a test that is one transaction.

    PostgreSQL locks the id of each savepoint until what is around it ends. Without this, a test of many histories
    fills the table of locks: "out of shared memory".
    """
    async with database.new_session(reading=False) as session:
        # The session begins its savepoint with its first statement, so it has to get its connection here.
        await session.connection()
        try:
            yield
        finally:
            await session.rollback()


async def overtake(
    runtime: Runtime, provider: BillingProvider, provider_id: str, change: Callable[[], Awaitable[None]]
) -> None:
    """Let an answer of the provider arrive after a newer one was stored. The newer one must be kept.

    Args:
        change: changes something at the provider.
    """
    late = Interrupted(provider)
    older = asyncio.create_task(converge(runtime, late, provider_id))
    fetched = asyncio.create_task(late.has_fetched.wait())
    newer = False
    try:
        await asyncio.wait({older, fetched}, return_when=asyncio.FIRST_COMPLETED)
        if not older.done():
            await change()
            await converge(runtime, provider, provider_id)
            newer = True
    except (ProviderUnavailableError, ConcurrentChangeError):
        newer = False
    finally:
        fetched.cancel()
        late.may_return.set()
        (failure,) = await asyncio.gather(older, return_exceptions=True)
    if newer and not isinstance(failure, BaseException):
        await check_stored(runtime, provider, provider_id)


async def attempt_all(runtime: Runtime) -> None:
    """Make every attempt at the pending webhook events, as happens in an outage of several hours."""
    for _attempt in range(MAX_ATTEMPTS):
        await handle(runtime)


async def check_stored(runtime: Runtime, provider: BillingProvider, provider_id: str) -> None:
    """Check that a subscription is stored as the provider describes it now."""
    snapshot = await provider.fetch(runtime, provider_id)
    async with runtime.database.reading() as session:
        row = await SubscriptionRepository(session).find(provider.name, provider_id)
    if snapshot is None:
        assert row is None or row.status in ENDED
        return
    assert row is not None
    assert {name: getattr(row, name) for name in COPIED} == {name: getattr(snapshot, name) for name in COPIED}
