"""Facts about purchases that only the application knows: their tokens, replacements, voided orders and periods."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.google_iap.models import GooglePurchase, GoogleVoidedOrder, id_of
from app.google_iap.snapshot import PROVIDER, Period
from app.payments.models import Subscription
from app.payments.port import SubscriptionStatus
from app.payments.repository import SubscriptionRepository
from app.payments.store import ENDED

FORGOTTEN_AFTER: Final = timedelta(days=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The facts about a purchase that Google Play does not state.

    Attributes:
        token: the purchase token.
        is_replaced: whether another purchase replaced it.
        last: the period of the last paid order, and its id.
        voided_orders: the orders that were refunded, charged back or revoked.
        inherited_user: the user of the purchase that it replaced, unless it has a user of its own.
    """

    token: str
    is_replaced: bool
    order_id: str | None
    period: Period
    voided_orders: frozenset[str]
    inherited_user: UUID | None


async def remember_token(runtime: Runtime, token: str) -> str:
    """Store a purchase token, if it is new, and return its id."""
    async with runtime.database.transaction() as session:
        return await _remember(session, token)


async def is_known(runtime: Runtime, token_id: str) -> bool:
    """Return whether the purchase token with this id is stored."""
    async with runtime.database.reading() as session:
        return await _find(session, token_id) is not None


async def void_order(runtime: Runtime, token_id: str, order_id: str) -> bool:
    """Store that an order was refunded, charged back or revoked. Return whether that is new."""
    async with runtime.database.transaction() as session:
        values = {**_stamps(), "order_id": order_id, "token_id": token_id}
        return await insert_if_absent(session, GoogleVoidedOrder, values, unique=("order_id",))


async def known_purchase(runtime: Runtime, token_id: str) -> Known | None:
    """Return the facts about a purchase; `None` if its token is not stored."""
    async with runtime.database.reading() as session:
        purchase = await _find(session, token_id)
        if purchase is None:
            return None
        voided = select(col(GoogleVoidedOrder.order_id)).where(col(GoogleVoidedOrder.token_id) == token_id)
        return Known(
            token=purchase.token,
            is_replaced=purchase.replaced_by is not None,
            order_id=purchase.order_id,
            period=Period(purchase.period_start, purchase.period_end),
            voided_orders=frozenset((await session.scalars(voided)).all()),
            inherited_user=await _inherited_user(session, token_id),
        )


async def record(
    runtime: Runtime,
    token_id: str,
    *,
    order_id: str | None,
    period: Period,
    replaced_token: str | None,
    needs_acknowledgement: bool,
) -> UUID | None:
    """Store the state of a purchase at Google Play. Return the user of the purchase that it replaced.

    Args:
        replaced_token: the token of the purchase that it replaced. That purchase no longer gives access.
    """
    async with runtime.database.transaction() as session:
        if replaced_token is not None and id_of(replaced_token) != token_id:
            old = await _remember(session, replaced_token)
            replaced = update(GooglePurchase).where(col(GooglePurchase.token_id) == old)
            await session.execute(replaced.values(replaced_by=token_id))
        changed = update(GooglePurchase).where(col(GooglePurchase.token_id) == token_id)
        await session.execute(
            changed.values(
                order_id=order_id,
                period_start=period.start,
                period_end=period.end,
                needs_acknowledgement=needs_acknowledgement,
            )
        )
        return await _inherited_user(session, token_id)


async def replaced_by(runtime: Runtime, token_id: str) -> Sequence[str]:
    """Return the ids of the purchases that a purchase replaced and whose subscriptions have not ended yet."""
    ended = select(col(Subscription.provider_id)).where(
        col(Subscription.provider) == PROVIDER, col(Subscription.status).in_(ENDED)
    )
    statement = select(col(GooglePurchase.token_id)).where(
        col(GooglePurchase.replaced_by) == token_id, col(GooglePurchase.token_id).not_in(ended)
    )
    async with runtime.database.reading() as session:
        return (await session.scalars(statement)).all()


@dataclass(frozen=True, kw_only=True, slots=True)
class Unacknowledged:
    """A purchase that Google refunds unless it is acknowledged, and the user who has its plan."""

    token_id: str
    token: str
    user_id: UUID


async def unacknowledged(runtime: Runtime, token_id: str | None = None) -> Sequence[Unacknowledged]:
    """Return the purchases to acknowledge, oldest first: those that give a user a plan.

    Args:
        token_id: only this purchase.
    """
    subscription = (col(Subscription.provider) == PROVIDER) & (
        col(Subscription.provider_id) == col(GooglePurchase.token_id)
    )
    statement = (
        select(col(GooglePurchase.token_id), col(GooglePurchase.token), col(Subscription.user_id))
        .join(Subscription, subscription)
        .where(
            col(GooglePurchase.needs_acknowledgement),
            col(Subscription.user_id).is_not(None),
            col(Subscription.plan).is_not(None),
            col(Subscription.status).not_in([*ENDED, SubscriptionStatus.PENDING]),
        )
        .order_by(col(GooglePurchase.id))
    )
    if token_id is not None:
        statement = statement.where(col(GooglePurchase.token_id) == token_id)
    async with runtime.database.reading() as session:
        rows = (await session.execute(statement)).all()
    return [Unacknowledged(token_id=id_, token=token, user_id=user) for id_, token, user in rows if user is not None]


async def unfetched_ids(runtime: Runtime) -> Sequence[str]:
    """Return the ids of purchase tokens without a subscription: their notification could not be processed.

    Tokens older than `FORGOTTEN_AFTER` are left out: Google Play deletes a purchase 60 days after its end, and some
    tokens never belonged to a subscription.
    """
    stored = select(col(Subscription.provider_id)).where(col(Subscription.provider) == PROVIDER)
    statement = (
        select(col(GooglePurchase.token_id))
        .where(
            col(GooglePurchase.created_at) > utc_now() - FORGOTTEN_AFTER, col(GooglePurchase.token_id).not_in(stored)
        )
        .order_by(col(GooglePurchase.id))
    )
    async with runtime.database.reading() as session:
        return (await session.scalars(statement)).all()


async def acknowledged(runtime: Runtime, token_id: str) -> None:
    """Store that a purchase is acknowledged."""
    async with runtime.database.transaction() as session:
        purchase = update(GooglePurchase).where(col(GooglePurchase.token_id) == token_id)
        await session.execute(purchase.values(needs_acknowledgement=False))


async def _find(session: AsyncSession, token_id: str) -> GooglePurchase | None:
    return await session.scalar(select(GooglePurchase).where(col(GooglePurchase.token_id) == token_id))


async def _remember(session: AsyncSession, token: str) -> str:
    token_id = id_of(token)
    values = {**_stamps(), "token_id": token_id, "token": token, "needs_acknowledgement": False}
    await insert_if_absent(session, GooglePurchase, values, unique=("token_id",))
    return token_id


async def _inherited_user(session: AsyncSession, token_id: str) -> UUID | None:
    row = await SubscriptionRepository(session).find(PROVIDER, token_id)
    if row is not None and row.user_id is not None:
        return None
    statement = (
        select(col(Subscription.user_id))
        .join(GooglePurchase, col(GooglePurchase.token_id) == col(Subscription.provider_id))
        .where(
            col(Subscription.provider) == PROVIDER,
            col(GooglePurchase.replaced_by) == token_id,
            col(Subscription.user_id).is_not(None),
        )
        .order_by(col(Subscription.id).desc())
        .limit(1)
    )
    return await session.scalar(statement)


def _stamps() -> dict[str, object]:
    now = utc_now()
    return {"id": uuid7(), "created_at": now, "updated_at": now}
