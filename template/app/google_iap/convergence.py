"""Convergence of purchases: of a subscription, and of those that it replaced."""

from typing import Final

import structlog

from app.core.runtime import Runtime
from app.google_iap.google_play import GooglePlay
from app.google_iap.jobs import acknowledge_google_purchase
from app.google_iap.purchases import replaced_by, unacknowledged
from app.payments.convergence import converge
from app.payments.models import Subscription

logger = structlog.stdlib.get_logger(__name__)

MAX_CHAIN: Final = 50
"""Purchases in a chain of replacements, each of which is followed only until one has ended."""


async def converge_purchase(runtime: Runtime, token_id: str) -> Subscription | None:
    """Fetch a subscription and store it, then end those that it replaced, and have it acknowledged.

    Returns and raises the same as `converge`.
    """
    stored = await converge(runtime, runtime.resource(GooglePlay).provider, token_id)
    await finish_purchase(runtime, token_id)
    return stored


async def finish_purchase(runtime: Runtime, token_id: str) -> None:
    """End the subscriptions that a stored one replaced, and enqueue its acknowledgement. Idempotent."""
    provider = runtime.resource(GooglePlay).provider
    waiting, seen = [token_id], {token_id}
    while waiting and len(seen) <= MAX_CHAIN:
        for old in await replaced_by(runtime, waiting.pop()):
            if old not in seen:
                seen.add(old)
                waiting.append(old)
                await converge(runtime, provider, old)
    if await unacknowledged(runtime, token_id):
        async with runtime.database.transaction() as session:
            await runtime.queue.enqueue(
                session, acknowledge_google_purchase, token_id, job_id=f"google-acknowledge:{token_id}"
            )
