"""The end of a user: all that every module keeps of them goes, for good."""

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
from app.users.service import keep_an_admin


async def erase_user(runtime: Runtime, user_id: UUID, *, actor_id: UUID | None = None) -> bool:
    """Shuts a user out, then removes their rows, one transaction a module, the users' own last.

    Whatever kills it in between, it goes on where it was when it is called again.

    Args:
        actor_id: which administrator wants it; `None` at the command line.

    Returns:
        Whether there was such a user.

    Raises:
        LastAdminError: nobody would be left to administer; nothing was done.
    """
    if not await _shut_out(runtime, user_id):
        return False
    own = next(module for module in modules_of(runtime) if User in module.models)
    for module in reversed(modules_of(runtime)):
        if module is not own:
            async with runtime.database.transaction() as session:
                await erase_rows(runtime, session, module, user_id)
    # Last, wherever it stands in the list: as long as there is a user, there may be something left to remove.
    async with runtime.database.transaction() as session:
        there = select(col(User.id)).where(col(User.id) == user_id).with_for_update()
        if await session.scalar(there) is not None:
            await erase_rows(runtime, session, own, user_id)
            await _record(runtime, session, user_id, actor_id)
    return True


async def _shut_out(runtime: Runtime, user_id: UUID) -> bool:
    """Whether there is such a user; from now on they add nothing to what has been removed."""
    async with runtime.database.transaction() as session:
        users = UserRepository(session)
        await keep_an_admin(users, user_id)
        found = await users.get_multi(col(User.id) == user_id)
        for user in found:
            await users.update(user, {"is_active": False})
    return bool(found)


async def _record(runtime: Runtime, session: AsyncSession, user_id: UUID, actor_id: UUID | None) -> None:
    entry = AuditEntry(actor_id=actor_id, action="user.erased", target_type="user", target_id=str(user_id))
    await runtime.audit.record(session, entry)
