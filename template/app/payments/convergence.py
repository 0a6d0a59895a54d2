"""Convergence: make the stored subscription equal to the provider's, in whatever order events arrive.

An event only names a subscription that may have changed. `converge` fetches that subscription from the provider and
stores the result. No database connection is held during the request: the row's version is read first, and the snapshot
is written only if the version is still the same. Each written snapshot was therefore requested after the previous one
was stored, so that an older state never replaces a newer one (docs/payments.md, "How it converges").
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from app.core.runtime import Runtime
from app.payments.errors import ConcurrentChangeError
from app.payments.models import Subscription
from app.payments.port import BillingProvider, ProviderUnavailableError, SubscriptionSnapshot
from app.payments.repository import SubscriptionRepository
from app.payments.store import end_missing, store_snapshot

logger = structlog.stdlib.get_logger(__name__)

MAX_ATTEMPTS: Final = 8
"""Attempts while other processes write the same subscription. In each round, one of the processes succeeds."""
FETCH_TIMEOUT: Final = timedelta(seconds=30)


async def converge(runtime: Runtime, provider: BillingProvider, provider_id: str) -> Subscription | None:
    """Fetch a subscription and store it. Calls may be repeated, and may be made in any order.

    Call it without an open session: it opens its own transactions.

    Returns:
        The stored subscription; `None` if neither the provider nor the database has it.

    Raises:
        ProviderUnavailableError: the provider doesn't answer. Nothing was changed.
        ConcurrentChangeError: other processes kept writing the same subscription.
    """
    for _ in range(MAX_ATTEMPTS):
        async with runtime.database.reading() as session:
            version = await SubscriptionRepository(session).version(provider.name, provider_id)
        snapshot = await _fetch(runtime, provider, provider_id)
        async with runtime.database.transaction() as session:
            if snapshot is None:
                stored, written = await end_missing(runtime, session, provider.name, provider_id, expected=version)
            else:
                stored, written = await store_snapshot(runtime, session, snapshot, expected=version)
        if written:
            return stored
    raise ConcurrentChangeError


async def _fetch(runtime: Runtime, provider: BillingProvider, provider_id: str) -> SubscriptionSnapshot | None:
    try:
        async with asyncio.timeout(FETCH_TIMEOUT.total_seconds()):
            return await provider.fetch(runtime, provider_id)
    except TimeoutError as error:
        raise ProviderUnavailableError(f"{provider.name} did not answer in time.") from error
