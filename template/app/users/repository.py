"""Queries on users."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from app.core.db.repository import Repository
from app.core.errors import NotFoundError
from app.users.models import User
from app.users.roles import Role


class UserRepository(Repository[User]):
    """Users. They are deactivated; only `erasure.py` deletes them."""

    model = User
    searchable: ClassVar = (col(User.email), col(User.full_name))

    async def require_locked(self, user_id: UUID) -> User:
        """Return the user, locked against other changes until the transaction ends.

        Raises:
            NotFoundError: the user does not exist.
        """
        user = await self.session.scalar(select(User).where(col(User.id) == user_id).with_for_update())
        if user is None:
            raise NotFoundError("User", user_id)
        return user

    async def lock_admins(self) -> set[UUID]:
        """Return the active administrators, locked: their number cannot decrease until the transaction ends.

        Lock them always in the same order and before any other row. Two administrators who deactivate each other then
        wait for one another instead of causing a deadlock.
        """
        statement = (
            select(col(User.id))
            .where(col(User.role) == Role.ADMIN, col(User.is_active))
            .order_by(col(User.id))
            .with_for_update()
        )
        return set(await self.session.scalars(statement))
