"""Permanent erasure of a user and of their data in every module."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.personal_data import erase_rows
from app.core.manifest import modules_of
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.users.models import User
from app.users.repository import UserRepository
from app.users.service import ensure_admin_remains


async def erase_user(runtime: Runtime, user_id: UUID, *, actor_id: UUID | None = None) -> bool:
    """Deactivate a user, then delete their rows: one transaction per module, the users' module last.

    Before that, modules end what must not outlive the user elsewhere (`Module.before_erasure`).
    Idempotent: if the process stops in between, the next call continues.

    Args:
        actor_id: the administrator who requested it; `None` for the command line.

    Returns:
        Whether the user existed.

    Raises:
        LastAdminError: no active administrator would remain; nothing was deleted.
        Exception: a module could not end something elsewhere. The user is deactivated, and nothing was deleted.
    """
    if not await _deactivate(runtime, user_id):
        return False
    for step in (step for module in reversed(modules_of(runtime)) for step in module.before_erasure):
        await step(runtime, user_id)
    own = next(module for module in modules_of(runtime) if User in module.models)
    for module in reversed(modules_of(runtime)):
        if module is not own:
            async with runtime.database.transaction() as session:
                await erase_rows(runtime, session, module, user_id)
    # Last, regardless of the order of modules: as long as the user exists, an interrupted erasure continues.
    async with runtime.database.transaction() as session:
        existing = select(col(User.id)).where(col(User.id) == user_id).with_for_update()
        if await session.scalar(existing) is not None:
            await erase_rows(runtime, session, own, user_id)
            await _record(runtime, session, user_id, actor_id)
    return True


async def _deactivate(runtime: Runtime, user_id: UUID) -> bool:
    """Deactivate the user, so that no new data appears. Return whether the user exists."""
    async with runtime.database.transaction() as session:
        users = UserRepository(session)
        await ensure_admin_remains(users, user_id)
        found = await users.get_multi(col(User.id) == user_id)
        for user in found:
            await users.update(user, {"is_active": False})
    return bool(found)


async def _record(runtime: Runtime, session: AsyncSession, user_id: UUID, actor_id: UUID | None) -> None:
    entry = AuditEntry(actor_id=actor_id, action="user.erased", target_type="user", target_id=str(user_id))
    await runtime.audit.record(session, entry)
