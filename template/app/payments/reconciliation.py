"""Reconciliation: compare the stored subscriptions with the providers', and repair differences."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlmodel import col

from app.core.inbox.service import replay_exhausted
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.errors import ConcurrentChangeError
from app.payments.models import Reconciliation, Subscription
from app.payments.port import BillingProvider, BillingProviders, ProviderUnavailableError
from app.payments.repository import SubscriptionRepository
from app.payments.store import COMPARED

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 500
CONCURRENCY: Final = 8
"""Subscriptions that are fetched at once. Each holds a database connection only before and after its request."""
MAX_FAILURES: Final = 20
"""The number of failures after which a reconciliation stops. The next one compares the rest."""


@dataclass(slots=True)
class Outcome:
    """The outcome of comparing a provider's subscriptions."""

    provider: str
    checked: int = 0
    repaired: int = 0
    failed: int = 0


async def reconcile(runtime: Runtime) -> list[Outcome]:
    """Reconcile all subscriptions of every provider, and store the outcome for the daily report."""
    return [await reconcile_provider(runtime, provider) for provider in runtime.resource(BillingProviders)]


async def reconcile_provider(runtime: Runtime, provider: BillingProvider) -> Outcome:
    """Reconcile all subscriptions of a provider: the ones that it lists, and the stored ones.

    Also retry the webhook events that failed in an outage: an app store lists no subscriptions, so a new purchase is
    known from its event alone.
    """
    await replay_exhausted(runtime, provider.name)
    outcome = Outcome(provider.name)
    await _compare_all(runtime, provider, _all_ids(runtime, provider), outcome, workers=CONCURRENCY)
    async with runtime.database.transaction() as session:
        session.add(
            Reconciliation(
                provider=provider.name, checked=outcome.checked, repaired=outcome.repaired, failed=outcome.failed
            )
        )
    logger.info(
        "billing_reconciled",
        provider=provider.name,
        checked=outcome.checked,
        repaired=outcome.repaired,
        failed=outcome.failed,
    )
    return outcome


async def sync_user(runtime: Runtime, user_id: UUID) -> list[Outcome]:
    """Reconcile the subscriptions of one user with every provider."""
    outcomes = []
    for provider in runtime.resource(BillingProviders):
        outcome = Outcome(provider.name)
        await _compare_all(runtime, provider, _user_ids(runtime, provider, user_id), outcome, workers=1)
        outcomes.append(outcome)
    return outcomes


async def _compare_all(
    runtime: Runtime, provider: BillingProvider, ids: AsyncGenerator[str], outcome: Outcome, *, workers: int
) -> None:
    lock = asyncio.Lock()

    async def next_id() -> str | None:
        # The workers share the iterator; the lock keeps two of them from advancing it at once.
        async with lock:
            try:
                return await anext(ids, None)
            except ProviderUnavailableError as error:
                outcome.failed += 1
                logger.warning("billing_reconcile_failed", provider=provider.name, reason=str(error))
                return None

    async def work() -> None:
        while outcome.failed < MAX_FAILURES and (id_ := await next_id()) is not None:
            await _compare(runtime, provider, id_, outcome)

    async with aclosing(ids), asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())


async def _compare(runtime: Runtime, provider: BillingProvider, provider_id: str, outcome: Outcome) -> None:
    async with runtime.database.reading() as session:
        before = state_of(await SubscriptionRepository(session).find(provider.name, provider_id))
    try:
        after = state_of(await converge(runtime, provider, provider_id))
    except (ProviderUnavailableError, ConcurrentChangeError) as error:
        outcome.failed += 1
        logger.warning("billing_reconcile_failed", provider=provider.name, id=provider_id, reason=str(error))
        return
    outcome.checked += 1
    if after != before:
        outcome.repaired += 1
        logger.warning("billing_drift_repaired", provider=provider.name, id=provider_id)


def state_of(row: Subscription | None) -> dict[str, object] | None:
    """Return the values that a reconciliation compares; `None` without a row."""
    return None if row is None else {name: getattr(row, name) for name in COMPARED}


async def _all_ids(runtime: Runtime, provider: BillingProvider) -> AsyncGenerator[str]:
    """Yield each id once: those of the provider, then those that only the database has."""
    seen: set[str] = set()
    listed = provider.all_ids(runtime)
    if listed is not None:
        async for id_ in listed:
            if id_ not in seen:
                seen.add(id_)
                yield id_
    async for id_ in _stored_ids(runtime, provider.name):
        if id_ not in seen:
            yield id_


async def _stored_ids(runtime: Runtime, provider: str) -> AsyncGenerator[str]:
    key, id_ = col(Subscription.id), col(Subscription.provider_id)
    statement = select(key, id_).where(col(Subscription.provider) == provider).order_by(key).limit(BATCH)
    batch = statement
    while True:
        async with runtime.database.reading() as session:
            rows = (await session.execute(batch)).all()
        for row in rows:
            yield row[1]
        if len(rows) < BATCH:
            return
        batch = statement.where(key > rows[-1][0])


async def _user_ids(runtime: Runtime, provider: BillingProvider, user_id: UUID) -> AsyncGenerator[str]:
    async with runtime.database.reading() as session:
        stored = [row.provider_id for row in await SubscriptionRepository(session).of_user(user_id, provider.name)]
    for id_ in stored:
        yield id_
    listed = provider.ids_of(runtime, user_id)
    if listed is not None:
        async for id_ in listed:
            if id_ not in stored:
                yield id_
