"""Adoption of parked subscriptions: those whose user was unknown when they were stored."""

from uuid import UUID

import structlog
from sqlalchemy import or_, select
from sqlmodel import col

from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.repository import SubscriptionRepository
from app.payments.store import assign
from app.users.models import User

logger = structlog.stdlib.get_logger(__name__)


async def adopt_parked(runtime: Runtime, user_id: UUID) -> int:
    """Assign to a user the parked subscriptions that name the user's id, or an address that only this user verified.

    Returns:
        The number of adopted subscriptions.
    """
    async with runtime.database.transaction() as session:
        user = await session.get(User, user_id)
        if user is None or not user.is_active:
            return 0
        claims = [col(Subscription.claimed_user_id) == user_id]
        verified = user.email if user.email_verified else None
        if verified and await SubscriptionRepository(session).user_of_email(verified) == user_id:
            by_email = col(Subscription.claimed_email) == verified.lower()
            # An id takes precedence over an address. With an id, the provider names another user.
            claims.append(by_email & col(Subscription.claimed_user_id).is_(None))
        statement = select(Subscription).where(col(Subscription.user_id).is_(None), or_(*claims)).with_for_update()
        parked = (await session.scalars(statement)).all()
        for row in parked:
            await assign(runtime, session, row, user_id)
    if parked:
        logger.info("subscriptions_adopted", user_id=str(user_id), count=len(parked))
    return len(parked)
