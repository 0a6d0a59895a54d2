"""Queries on subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from app.core.db.list_options import Filter
from app.core.db.models import utc_now
from app.core.db.repository import Repository
from app.payments.models import Subscription
from app.payments.port import GIVES_ACCESS
from app.users.models import User


def gives_access(now: datetime) -> ColumnElement[bool]:
    """Return the condition under which a subscription gives access to its plan."""
    return (
        col(Subscription.status).in_(GIVES_ACCESS)
        & col(Subscription.plan).is_not(None)
        & (col(Subscription.access_until) > now)
    )


class SubscriptionRepository(Repository[Subscription]):
    """The stored subscriptions."""

    model = Subscription
    owner: ClassVar = col(Subscription.user_id)
    filters: ClassVar = {
        "status": Filter(col(Subscription.status)),
        "provider": Filter(col(Subscription.provider)),
        "plan": Filter(col(Subscription.plan)),
        "user_id": Filter(col(Subscription.user_id)),
    }

    async def find(self, provider: str, provider_id: str, *, lock: bool = False) -> Subscription | None:
        """Return a subscription by its provider and its id there. `lock` locks the row until the transaction ends."""
        statement = select(Subscription).where(
            col(Subscription.provider) == provider, col(Subscription.provider_id) == provider_id
        )
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self.session.scalars(statement)).one_or_none()

    async def version(self, provider: str, provider_id: str) -> int:
        """Return the version of the stored subscription; 0 if it is not stored."""
        statement = select(col(Subscription.version)).where(
            col(Subscription.provider) == provider, col(Subscription.provider_id) == provider_id
        )
        return await self.session.scalar(statement) or 0

    async def of_user(self, user_id: UUID, provider: str | None = None) -> Sequence[Subscription]:
        """Return a user's subscriptions, newest first."""
        where = [col(Subscription.user_id) == user_id]
        if provider is not None:
            where.append(col(Subscription.provider) == provider)
        statement = select(Subscription).where(*where).order_by(col(Subscription.id).desc())
        return (await self.session.scalars(statement)).all()

    async def entitling(self, user_id: UUID, *, sandbox: bool, now: datetime | None = None) -> Sequence[Subscription]:
        """Return the subscriptions that give a user access to a plan.

        Args:
            sandbox: whether sandbox subscriptions count.
        """
        where = [col(Subscription.user_id) == user_id, gives_access(now or utc_now())]
        if not sandbox:
            where.append(col(Subscription.sandbox).is_(False))
        return (await self.session.scalars(select(Subscription).where(*where))).all()

    async def user_exists(self, user_id: UUID) -> bool:
        """Return whether there is a user with this id."""
        return await self.session.scalar(select(col(User.id)).where(col(User.id) == user_id)) is not None

    async def user_of_email(self, email: str) -> UUID | None:
        """Return the only active user who verified this address; `None` if there is no such user, or more than one."""
        statement = select(col(User.id)).where(
            func.lower(col(User.email)) == email.lower(), col(User.email_verified), col(User.is_active)
        )
        found = (await self.session.scalars(statement.limit(2))).all()
        return found[0] if len(found) == 1 else None
