"""From an identity to a user: looked up with one statement, made on first sight."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Insert, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.auth.port import Identity
from app.core.db.database import Database, is_unique_violation
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.users.caller import Caller
from app.users.errors import AccountDeactivatedError
from app.users.events import UserCreated
from app.users.models import Role, user_identities, users

# Built once: it runs with every request.
_CALLER = (
    select(
        users.c.id,
        users.c.email,
        users.c.full_name,
        users.c.role,
        users.c.is_active,
        users.c.created_at,
        users.c.updated_at,
        user_identities.c.deleted_at,
    )
    .select_from(user_identities.outerjoin(users, users.c.id == user_identities.c.user_id))
    .where(user_identities.c.provider == bindparam("provider"), user_identities.c.subject == bindparam("subject"))
)

_IS_ACTIVE = select(users.c.is_active).where(users.c.id == bindparam("user_id"))


async def find_caller(database: Database, identity: Identity) -> Caller | None:
    """The user of an identity, or `None` when it has never been seen.

    Raises:
        AccountDeactivatedError: the user was shut out, or is gone at the provider.
    """
    rows = await database.fetch(_CALLER, {"provider": identity.provider, "subject": identity.subject})
    if not rows:
        return None
    id_, email, full_name, role, is_active, created_at, updated_at, deleted_at = rows[0]
    if not is_active or deleted_at is not None:
        raise AccountDeactivatedError
    return Caller(
        id=id_,
        email=email,
        full_name=full_name,
        role=role,
        is_active=is_active,
        created_at=created_at,
        updated_at=updated_at,
    )


async def make_user(runtime: Runtime, identity: Identity, *, profile_at: datetime | None = None) -> bool:
    """Makes the user of an identity that has not been seen before, in a transaction of its own.

    Returns:
        False when somebody else was faster, or knows that the identity is gone: its row is there then.
    """
    user_id, email, name = uuid7(), stored_email(identity.email), identity.name
    try:
        async with runtime.database.transaction() as session:
            await session.execute(_insert_user(user_id, email, name))
            await add_identity(session, identity, user_id=user_id, profile_at=profile_at)
            await runtime.events.publish(session, UserCreated(user_id=user_id, email=email, full_name=name))
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # The identity is unique: of a hundred first requests at once one makes the user, the others find it.
        return False
    return True


async def add_identity(
    session: AsyncSession,
    identity: Identity,
    *,
    user_id: UUID | None,
    profile_at: datetime | None = None,
    deleted_at: datetime | None = None,
) -> None:
    """Adds the row of an identity.

    Raises:
        IntegrityError: it is there.
    """
    now = utc_now()
    await session.execute(
        insert(user_identities).values(
            id=uuid7(),
            provider=identity.provider,
            subject=identity.subject,
            user_id=user_id,
            name=identity.name,
            profile_at=profile_at,
            deleted_at=deleted_at,
            created_at=now,
            updated_at=now,
        )
    )


def stored_email(email: str | None) -> str | None:
    """The address as it is kept: in lower case, so that it can be found."""
    return email.lower() if email else None


def _insert_user(user_id: UUID, email: str | None, name: str | None) -> Insert:
    now = utc_now()
    return insert(users).values(
        id=user_id,
        email=email,
        full_name=name,
        role=Role.USER,
        is_active=True,
        created_at=now,
        updated_at=now,
    )


async def is_active_user(database: Database, user_id: UUID) -> bool:
    """Return whether the user exists and has not been deactivated. For work that goes on after a request began."""
    rows = await database.fetch(_IS_ACTIVE, {"user_id": user_id})
    return bool(rows) and bool(rows[0][0])
