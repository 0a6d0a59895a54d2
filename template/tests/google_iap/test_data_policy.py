"""Retention of purchase tokens and voided orders."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.dev.servers.google_play.store import GooglePlay
from app.google_iap.google_play import GooglePlay as Connection
from app.google_iap.models import GooglePurchase, GoogleVoidedOrder
from app.google_iap.purchases import remember_token, void_order
from app.payments.convergence import converge
from app.payments.models import Subscription
from app.payments.port import SubscriptionStatus
from tests.payments.store_purchases import MONTHLY


async def age(runtime: Runtime, **subscription: object) -> None:
    """Let every row be 61 days old."""
    async with runtime.database.transaction() as session:
        for model in (GooglePurchase, GoogleVoidedOrder):
            await session.execute(update(model).values(created_at=utc_now() - timedelta(days=61)))
        if subscription:
            await session.execute(update(Subscription).values(**subscription))


async def counts(runtime: Runtime) -> tuple[int, ...]:
    """Return the numbers of tokens and of voided orders after two nights."""
    for _ in range(2):
        await cleanup_old_data(runtime)
    async with runtime.database.reading() as session:
        tables = (GooglePurchase, GoogleVoidedOrder)
        return tuple([await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables])


@pytest.mark.parametrize(
    ("status", "ended", "left"),
    [
        (SubscriptionStatus.EXPIRED, 61, (0, 0)),
        (SubscriptionStatus.REFUNDED, 59, (1, 1)),
        # Without the order, the access of a yearly subscription whose payment was returned would come back.
        (SubscriptionStatus.REFUNDED, -200, (1, 1)),
        (SubscriptionStatus.PAST_DUE, 61, (1, 1)),
    ],
)
async def test_they_are_kept_while_google_play_knows_the_purchase(
    runtime: Runtime, google_play: GooglePlay, status: SubscriptionStatus, ended: int, left: tuple[int, int]
) -> None:
    item = google_play.state.buy(MONTHLY)
    token_id = await remember_token(runtime, item.token)
    await void_order(runtime, token_id, item.order or "")
    await converge(runtime, runtime.resource(Connection).provider, token_id)
    assert await counts(runtime) == (1, 1)

    await age(runtime, status=status, period_end=utc_now() - timedelta(days=ended))
    assert await counts(runtime) == left


async def test_a_token_that_never_was_a_subscription_is_deleted(runtime: Runtime, google_play: GooglePlay) -> None:  # noqa: ARG001 - connects
    await remember_token(runtime, "a token")
    assert await counts(runtime) == (1, 0)
    await age(runtime)
    assert await counts(runtime) == (0, 0)
