"""Start and end impersonations. Each change is recorded in the audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, case, not_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.context import Actor
from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.ports.audit import Audit, AuditEntry
from app.core.runtime import Runtime
from app.impersonation.errors import AdminNotImpersonatedError, InactiveUserError
from app.impersonation.models import EndReason, Impersonation
from app.impersonation.queries import is_in_effect
from app.users.errors import AdminRequiredError, OwnAccountError
from app.users.repository import UserRepository
from app.users.roles import Role

LIFETIME: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Impersonations:
    """The impersonations, as an administrator changes them."""

    session: AsyncSession
    audit: Audit
    actor: Actor

    async def start(self, user_id: UUID, reason: str) -> Impersonation:
        """Start to impersonate a user. The administrator's present impersonation ends.

        Raises:
            NotFoundError: the user does not exist.
            OwnAccountError: it is the administrator's own account.
            AdminNotImpersonatedError: the user is an administrator.
            InactiveUserError: the user is deactivated.
            AdminRequiredError: the actor was demoted or deactivated in the meantime.
        """
        if user_id == self.actor.id:
            raise OwnAccountError("impersonate")
        users = UserRepository(self.session)
        # Locked, so that of several requests at once each ends the impersonation of the one before.
        admin = await users.require_locked(self.actor.id)
        if admin.role != Role.ADMIN or not admin.is_active:
            raise AdminRequiredError
        user = await users.require(user_id)
        if user.role == Role.ADMIN:
            raise AdminNotImpersonatedError
        if not user.is_active:
            raise InactiveUserError
        await self._end(EndReason.REPLACED, col(Impersonation.admin_id) == self.actor.id)
        now = utc_now()
        impersonation = Impersonation(
            admin_id=self.actor.id, user_id=user_id, reason=reason, created_at=now, expires_at=now + LIFETIME
        )
        self.session.add(impersonation)
        await self.session.flush()
        details = {"expires_at": impersonation.expires_at.isoformat(), "reason": reason}
        await self._record("impersonation.started", impersonation, details)
        return impersonation

    async def stop(self, impersonation_id: UUID | None = None) -> Sequence[Impersonation]:
        """End the administrator's own impersonation, or the one with this id, and return it.

        Raises:
            NotFoundError: no impersonation with this id is open.
        """
        own = col(Impersonation.admin_id) == self.actor.id
        ended = await self._end(
            EndReason.STOPPED, own if impersonation_id is None else col(Impersonation.id) == impersonation_id
        )
        if impersonation_id is not None and not ended:
            raise NotFoundError("Active impersonation", impersonation_id)
        return ended

    async def _end(self, reason: EndReason, *where: ColumnElement[bool]) -> Sequence[Impersonation]:
        now = utc_now()
        statement = (
            update(Impersonation)
            .where(col(Impersonation.ended_at).is_(None), *where)
            .values(ended_at=now, end_reason=reason, updated_at=now)
            .returning(Impersonation)
        )
        ended = (await self.session.scalars(statement)).all()
        for impersonation in ended:
            await self._record("impersonation.ended", impersonation, {"reason": reason.value})
        return ended

    async def _record(self, action: str, impersonation: Impersonation, details: dict[str, str]) -> None:
        entry = _entry(action, impersonation, details, actor_id=self.actor.id, client=self.actor.client)
        await self.audit.record(self.session, entry)


async def close_ended(runtime: Runtime) -> int:
    """Close the impersonations that are no longer in effect, and return their number. Idempotent."""
    now = utc_now()
    reason = case((col(Impersonation.expires_at) <= now, EndReason.EXPIRED.value), else_=EndReason.REVOKED.value)
    statement = (
        update(Impersonation)
        .where(col(Impersonation.ended_at).is_(None), not_(is_in_effect(now)))
        .values(ended_at=now, end_reason=reason, updated_at=now)
        .returning(Impersonation)
        .execution_options(synchronize_session=False)
    )
    async with runtime.database.transaction() as session:
        ended = (await session.scalars(statement)).all()
        for impersonation in ended:
            why = "" if impersonation.end_reason is None else impersonation.end_reason.value
            await runtime.audit.record(session, _entry("impersonation.ended", impersonation, {"reason": why}))
    return len(ended)


def _entry(
    action: str,
    impersonation: Impersonation,
    details: dict[str, str],
    *,
    actor_id: UUID | None = None,
    client: str | None = None,
) -> AuditEntry:
    return AuditEntry(
        actor_id=actor_id,
        action=action,
        target_type="user",
        target_id=str(impersonation.user_id),
        impersonated_id=impersonation.user_id,
        client=client,
        details={"impersonation_id": str(impersonation.id), "admin_id": str(impersonation.admin_id), **details},
    )
