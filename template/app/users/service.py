"""The changes to users, their rules, and their audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.context import Actor
from app.core.db.models import utc_now
from app.core.ports.audit import Audit, AuditEntry, Change
from app.users.errors import AdminRequiredError, LastAdminError, OwnAccountError
from app.users.models import User, UserIdentity
from app.users.repository import UserRepository
from app.users.roles import AccessPolicy, Role
from app.users.schemas import UserUpdate


async def ensure_admin_remains(users: UserRepository, user_id: UUID) -> None:
    """Ensure, until the transaction ends, that an active administrator other than this user exists.

    Raises:
        LastAdminError: the user is the only one.
    """
    admins = await users.lock_admins()
    if user_id in admins and len(admins) == 1:
        raise LastAdminError


@dataclass(frozen=True, slots=True)
class UserAdministration:
    """The administration of users. Each change is recorded in the audit trail.

    Attributes:
        actor: the administrator who makes the changes; `None` for the command line.
        policy: the roles that can be assigned; by default only `user` and `admin`.
    """

    session: AsyncSession
    audit: Audit
    actor: Actor | None = None
    policy: AccessPolicy = field(default_factory=AccessPolicy)

    async def change(self, user_id: UUID, data: UserUpdate) -> User:
        """Change the fields that were sent.

        Raises:
            NotFoundError: the user does not exist.
            UnknownRoleError: the project has no such role.
            OwnAccountError: administrators cannot change their own role.
            LastAdminError: no active administrator would remain.
            AdminRequiredError: another administrator has demoted the actor in the meantime.
        """
        users = UserRepository(self.session)
        sent = data.model_dump(exclude_unset=True)
        role = self.policy.require(sent.get("role", Role.ADMIN.value))
        if "role" in sent:
            await self._ensure_still_admin(users)
        if role != Role.ADMIN:
            self._refuse_own_account(user_id, "change the role of")
            await ensure_admin_remains(users, user_id)
        user = await users.require_locked(user_id)
        changes = {name: value for name, value in sent.items() if getattr(user, name) != value}
        if changes:
            audited = {name: Change(getattr(user, name), value) for name, value in changes.items()}
            await self._record("user.updated", user_id, audited)
            await users.update(user, changes)
        return user

    async def deactivate(self, user_id: UUID) -> User:
        """Deactivate the user, from the next request on.

        Raises:
            NotFoundError: the user does not exist.
            OwnAccountError: it is the administrator's own account.
            LastAdminError: no active administrator would remain.
            AdminRequiredError: another administrator has demoted the actor in the meantime.
        """
        self._refuse_own_account(user_id, "deactivate")
        users = UserRepository(self.session)
        await self._ensure_still_admin(users)
        await ensure_admin_remains(users, user_id)
        user = await users.require_locked(user_id)
        if user.is_active:
            await self._record("user.deactivated", user_id)
            await users.update(user, {"is_active": False})
        return user

    async def activate(self, user_id: UUID) -> User:
        """Activate the user, even one who was deleted at the identity provider.

        Raises:
            NotFoundError: the user does not exist.
            OwnAccountError: it is the administrator's own account.
        """
        self._refuse_own_account(user_id, "activate")
        users = UserRepository(self.session)
        user = await users.require_locked(user_id)
        if not user.is_active:
            await self._record("user.activated", user_id)
            await users.update(user, {"is_active": True})
            restore = update(UserIdentity).where(col(UserIdentity.user_id) == user_id)
            await self.session.execute(restore.values(deleted_at=None, updated_at=utc_now()))
        return user

    async def revoke_tokens(self, user_id: UUID) -> User:
        """Refuse all tokens that the user holds. New tokens are accepted, so end the sessions at the provider as well.

        Takes effect in every process with the next request.

        Raises:
            NotFoundError: the user does not exist.
        """
        users = UserRepository(self.session)
        user = await users.require_locked(user_id)
        await self._record("user.tokens_revoked", user_id)
        return await users.update(user, {"tokens_valid_from": utc_now()})

    async def _ensure_still_admin(self, users: UserRepository) -> None:
        # The request was authorized before it waited for the lock.
        if self.actor is not None and self.actor.id not in await users.lock_admins():
            raise AdminRequiredError

    def _refuse_own_account(self, user_id: UUID, action: str) -> None:
        if self.actor is not None and user_id == self.actor.id:
            raise OwnAccountError(action)

    async def _record(self, action: str, user_id: UUID, changes: Mapping[str, Change] | None = None) -> None:
        entry = AuditEntry(
            actor_id=None if self.actor is None else self.actor.id,
            action=action,
            target_type="user",
            target_id=str(user_id),
            client=None if self.actor is None else self.actor.client,
            changes=changes or {},
        )
        await self.audit.record(self.session, entry)
