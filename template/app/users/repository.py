"""The users' table."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from app.core.db.repository import Repository
from app.core.errors import NotFoundError
from app.users.models import Role, User


class UserRepository(Repository[User]):
    """Users. They are shut out; removing one is an erasure (erasure.py)."""

    model = User
    searchable: ClassVar = (col(User.email), col(User.full_name))

    async def require_locked(self, user_id: UUID) -> User:
        """The user, whom nobody else can change until the transaction ends.

        Raises:
            NotFoundError: there is none.
        """
        user = await self.session.scalar(select(User).where(col(User.id) == user_id).with_for_update())
        if user is None:
            raise NotFoundError("User", user_id)
        return user

    async def lock_admins(self) -> set[UUID]:
        """The active administrators; nobody can become one less until the transaction ends.

        Always in the same order, and before any other row, so that two administrators who remove each other wait
        instead of blocking one another.
        """
        statement = (
            select(col(User.id))
            .where(col(User.role) == Role.ADMIN, col(User.is_active))
            .order_by(col(User.id))
            .with_for_update()
        )
        return set(await self.session.scalars(statement))
