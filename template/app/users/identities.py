"""Map identities to users: one statement per request, and the creation of new users."""

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
from app.users.errors import AccountDeactivatedError, TokenRevokedError
from app.users.events import UserCreated
from app.users.models import user_identities, users
from app.users.roles import Role

# Built once, since it runs on every request.
_CALLER = (
    select(
        users.c.id,
        users.c.email,
        users.c.full_name,
        users.c.role,
        users.c.is_active,
        users.c.tokens_valid_from,
        users.c.created_at,
        users.c.updated_at,
        user_identities.c.deleted_at,
    )
    .select_from(user_identities.outerjoin(users, users.c.id == user_identities.c.user_id))
    .where(user_identities.c.provider == bindparam("provider"), user_identities.c.subject == bindparam("subject"))
)

_IS_ACTIVE = select(users.c.is_active).where(users.c.id == bindparam("user_id"))


async def find_caller(database: Database, identity: Identity) -> Caller | None:
    """Return the user of an identity, or `None` for an unknown identity.

    Raises:
        AccountDeactivatedError: the user is deactivated here or deleted at the provider.
        TokenRevokedError: the token was issued before the user's tokens were revoked.
    """
    rows = await database.fetch(_CALLER, {"provider": identity.provider, "subject": identity.subject})
    if not rows:
        return None
    id_, email, full_name, role, is_active, valid_from, created_at, updated_at, deleted_at = rows[0]
    if not is_active or deleted_at is not None:
        raise AccountDeactivatedError(id_)
    if valid_from is not None and (identity.issued_at is None or identity.issued_at < valid_from):
        raise TokenRevokedError(identity.subject, id_)
    return Caller(
        id=id_,
        email=email,
        full_name=full_name,
        role=role,
        is_active=is_active,
        created_at=created_at,
        updated_at=updated_at,
        assurance=identity.assurance,
    )


async def create_user(runtime: Runtime, identity: Identity, *, profile_at: datetime | None = None) -> bool:
    """Create the user of an unknown identity, in a transaction of its own.

    Returns:
        False if the identity exists already: another request created it, or it was deleted at the provider.
    """
    user_id, email, name = uuid7(), stored_email(identity.email), identity.name
    try:
        async with runtime.database.transaction() as session:
            await session.execute(_insert_user(user_id, identity))
            await add_identity(session, identity, user_id=user_id, profile_at=profile_at)
            await runtime.events.publish(session, UserCreated(user_id=user_id, email=email, full_name=name))
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # The identity is unique: of a hundred first requests at once, one creates the user and the others find it.
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
    """Insert the row of an identity.

    Raises:
        IntegrityError: it exists already.
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
    """Return the address as it is stored: in lower case, for searching."""
    return email.lower() if email else None


def _insert_user(user_id: UUID, identity: Identity) -> Insert:
    now = utc_now()
    return insert(users).values(
        id=user_id,
        email=stored_email(identity.email),
        email_verified=identity.email_verified,
        full_name=identity.name,
        role=Role.USER.value,
        is_active=True,
        created_at=now,
        updated_at=now,
    )


async def is_active_user(database: Database, user_id: UUID) -> bool:
    """Return whether the user exists and has not been deactivated. For work that goes on after a request began."""
    rows = await database.fetch(_IS_ACTIVE, {"user_id": user_id})
    return bool(rows) and bool(rows[0][0])
