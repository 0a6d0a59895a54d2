"""Keeps users in step with the provider of identities.

Events arrive late, twice and in any order. So a profile that is older than the one seen is left alone, and what is
deleted at the provider stays deleted: no later event brings the user back, only an administrator does.
"""

from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.events import IdentityChanged, IdentityDeleted
from app.auth.port import Identity
from app.core.db.database import is_unique_violation
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.users.identities import add_identity, make_user, stored_email
from app.users.models import user_identities, users


async def on_identity_changed(runtime: Runtime, event: IdentityChanged) -> None:
    """Takes over the profile; makes the user when nobody has seen them."""
    identity = Identity(provider=event.provider, subject=event.subject, email=event.email, name=event.name)
    if await _update_profile(runtime, event):
        return
    if not await make_user(runtime, identity, profile_at=event.at):
        await _update_profile(runtime, event)


async def _update_profile(runtime: Runtime, event: IdentityChanged) -> bool:
    """Whether the identity is known; a newer profile is then written."""
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
        changes: dict[str, object] = {"email": stored_email(event.email), "updated_at": now}
        if event.name is not None and event.name != known.name:
            changes["full_name"] = event.name
        await session.execute(update(users).where(users.c.id == known.user_id).values(changes))
    return True


async def on_identity_deleted(runtime: Runtime, event: IdentityDeleted) -> None:
    """Shuts the user out, unless they can still be known by another identity."""
    identity = Identity(provider=event.provider, subject=event.subject)
    try:
        async with runtime.database.transaction() as session:
            if not await _mark_deleted(session, event):
                await add_identity(session, identity, user_id=None, profile_at=event.at, deleted_at=event.at)
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # Its first request came in between: the row is there now.
        async with runtime.database.transaction() as session:
            await _mark_deleted(session, event)


async def _mark_deleted(session: AsyncSession, event: IdentityDeleted) -> bool:
    """Whether the identity is known; it is then gone."""
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
    await _deactivate_without_identity(session, known.user_id)
    return True


async def _deactivate_without_identity(session: AsyncSession, user_id: UUID) -> None:
    living = exists().where(user_identities.c.user_id == user_id, user_identities.c.deleted_at.is_(None))
    await session.execute(
        update(users).where(users.c.id == user_id, ~living).values(is_active=False, updated_at=utc_now())
    )
