"""What can be done to users, and the rules that hold whoever does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.ports.audit import Audit, AuditEntry
from app.users.caller import Caller
from app.users.errors import LastAdminError, OwnAccountError
from app.users.models import Role, User, UserIdentity
from app.users.repository import UserRepository
from app.users.schemas import UserUpdate


async def set_role(session: AsyncSession, user_id: UUID, role: Role) -> User:
    """Gives a user a role.

    Raises:
        NotFoundError: there is no such user.
        LastAdminError: nobody would be left to administer.
    """
    users = UserRepository(session)
    if role is not Role.ADMIN:
        await keep_an_admin(users, user_id)
    return await users.update(await users.require_locked(user_id), {"role": role})


async def keep_an_admin(users: UserRepository, user_id: UUID) -> None:
    """Makes sure that somebody can administer without this user, until the transaction ends.

    Raises:
        LastAdminError: nobody could.
    """
    admins = await users.lock_admins()
    if user_id in admins and len(admins) == 1:
        raise LastAdminError


@dataclass(frozen=True, slots=True)
class UserAdministration:
    """What one administrator does to users. Each change is recorded; what changes nothing is not."""

    session: AsyncSession
    audit: Audit
    actor: Caller

    async def change(self, user_id: UUID, data: UserUpdate) -> User:
        """Changes the fields that were sent.

        Raises:
            NotFoundError: there is no such user.
            OwnAccountError: the actor would change their own role.
            LastAdminError: nobody would be left to administer.
        """
        users = UserRepository(self.session)
        sent = data.model_dump(exclude_unset=True)
        if sent.get("role", Role.ADMIN) is not Role.ADMIN:
            self._not_oneself(user_id, "change the role of")
            await keep_an_admin(users, user_id)
        user = await users.require_locked(user_id)
        changes = {name: value for name, value in sent.items() if getattr(user, name) != value}
        if changes:
            await self._record("user.updated", user_id, _describe(user, changes))
            await users.update(user, changes)
        return user

    async def deactivate(self, user_id: UUID) -> User:
        """Shuts the user out, from their next request on.

        Raises:
            NotFoundError: there is no such user.
            OwnAccountError: it is the actor.
            LastAdminError: nobody would be left to administer.
        """
        self._not_oneself(user_id, "deactivate")
        users = UserRepository(self.session)
        await keep_an_admin(users, user_id)
        user = await users.require_locked(user_id)
        if user.is_active:
            await self._record("user.deactivated", user_id)
            await users.update(user, {"is_active": False})
        return user

    async def activate(self, user_id: UUID) -> User:
        """Lets the user in again, one who was deleted at the provider of identities included.

        Raises:
            NotFoundError: there is no such user.
            OwnAccountError: it is the actor.
        """
        self._not_oneself(user_id, "activate")
        users = UserRepository(self.session)
        user = await users.require_locked(user_id)
        if not user.is_active:
            await self._record("user.activated", user_id)
            await users.update(user, {"is_active": True})
            forgive = update(UserIdentity).where(col(UserIdentity.user_id) == user_id)
            await self.session.execute(forgive.values(deleted_at=None, updated_at=utc_now()))
        return user

    def _not_oneself(self, user_id: UUID, what: str) -> None:
        if user_id == self.actor.id:
            raise OwnAccountError(what)

    async def _record(self, action: str, user_id: UUID, details: dict[str, str] | None = None) -> None:
        entry = AuditEntry(
            actor_id=self.actor.id,
            action=action,
            target_type="user",
            target_id=str(user_id),
            details=details or {},
        )
        await self.audit.record(self.session, entry)


def _describe(user: User, changes: Mapping[str, object]) -> dict[str, str]:
    """The changes for the record: roles as they were and are, of a name only that it has changed."""
    details = {"fields": ", ".join(sorted(changes))}
    if "role" in changes:
        details |= {"role_before": user.role.value, "role_after": str(changes["role"])}
    return details
