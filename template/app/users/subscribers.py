"""Keep users in sync with the identity provider.

Events arrive late, twice and in any order. Therefore an older profile never overwrites a newer one, and a user who was
deleted at the provider stays deactivated: no later event activates the user, only an administrator does.
"""

from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.events import IdentityChanged, IdentityDeleted
from app.auth.port import Identity
from app.core.db.database import is_unique_violation
from app.core.db.models import utc_now
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.users.events import EmailChanged
from app.users.identities import add_identity, create_user, stored_email
from app.users.models import user_identities, users


async def on_identity_changed(runtime: Runtime, event: IdentityChanged) -> None:
    """Update the profile, or create the user of an unknown identity."""
    identity = Identity(
        provider=event.provider,
        subject=event.subject,
        email=event.email,
        email_verified=event.email_verified,
        name=event.name,
    )
    if await _update_profile(runtime, event):
        return
    if not await create_user(runtime, identity, profile_at=event.at):
        await _update_profile(runtime, event)


async def _update_profile(runtime: Runtime, event: IdentityChanged) -> bool:
    """Write a newer profile. Return whether the identity is known."""
    async with runtime.database.transaction() as session:
        known = (
            await session.execute(
                select(user_identities)
                .where(user_identities.c.provider == event.provider, user_identities.c.subject == event.subject)
                .with_for_update()
            )
        ).one_or_none()
        if known is None:
            return False
        if known.deleted_at is not None or (known.profile_at is not None and event.at < known.profile_at):
            return True
        now = utc_now()
        await session.execute(
            update(user_identities)
            .where(user_identities.c.id == known.id)
            .values(name=event.name, profile_at=event.at, updated_at=now)
        )
        changes: dict[str, object] = {
            "email": stored_email(event.email),
            "email_verified": event.email_verified,
            "updated_at": now,
        }
        if event.name is not None and event.name != known.name:
            changes["full_name"] = event.name
        user = users.c.id == known.user_id
        before = await session.scalar(select(users.c.email).where(user).with_for_update())
        await session.execute(update(users).where(user).values(changes))
        if known.user_id is not None and before != changes["email"]:
            await runtime.events.publish(session, EmailChanged(user_id=known.user_id))
    return True


async def on_identity_deleted(runtime: Runtime, event: IdentityDeleted) -> None:
    """Deactivate the user, unless another identity of the user remains."""
    identity = Identity(provider=event.provider, subject=event.subject)
    try:
        async with runtime.database.transaction() as session:
            if not await _mark_deleted(runtime, session, event):
                await add_identity(session, identity, user_id=None, profile_at=event.at, deleted_at=event.at)
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # The user's first request inserted the row in the meantime.
        async with runtime.database.transaction() as session:
            await _mark_deleted(runtime, session, event)


async def _mark_deleted(runtime: Runtime, session: AsyncSession, event: IdentityDeleted) -> bool:
    """Mark the identity as deleted. Return whether it is known."""
    known = (
        await session.execute(
            select(user_identities.c.id, user_identities.c.user_id, user_identities.c.deleted_at)
            .where(user_identities.c.provider == event.provider, user_identities.c.subject == event.subject)
            .with_for_update()
        )
    ).one_or_none()
    if known is None:
        return False
    if known.deleted_at is not None:
        return True
    await session.execute(
        update(user_identities)
        .where(user_identities.c.id == known.id)
        .values(deleted_at=event.at, profile_at=event.at, updated_at=utc_now())
    )
    await _deactivate_without_identity(runtime, session, known.user_id)
    return True


async def _deactivate_without_identity(runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    remaining = exists().where(user_identities.c.user_id == user_id, user_identities.c.deleted_at.is_(None))
    deactivated = await session.execute(
        update(users)
        .where(users.c.id == user_id, users.c.is_active, ~remaining)
        .values(is_active=False, updated_at=utc_now())
        .returning(users.c.id)
    )
    if deactivated.one_or_none() is not None:
        entry = AuditEntry(
            actor_id=None,
            action="user.deactivated",
            target_type="user",
            target_id=str(user_id),
            details={"reason": "deleted at the identity provider"},
        )
        await runtime.audit.record(session, entry)
