"""The conditions under which an impersonation is in effect, as SQL."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, FromClause, bindparam, exists, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from app.auth.port import Identity
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.impersonation.models import Impersonation
from app.users.caller import Caller
from app.users.models import users
from app.users.roles import Role

_ADMIN: Final = users.alias("impersonating_admin")
_USER: Final = users.alias("impersonated_user")
_NOW: Final = bindparam("now", type_=DateTime(timezone=True))


def _may_take_part(person: FromClause, person_id: Mapped[UUID]) -> ColumnElement[bool]:
    revoked_before = or_(
        person.c.tokens_valid_from.is_(None), person.c.tokens_valid_from <= col(Impersonation.created_at)
    )
    return (person.c.id == person_id) & person.c.is_active & revoked_before


_ADMIN_MAY: Final = _may_take_part(_ADMIN, col(Impersonation.admin_id)) & (_ADMIN.c.role == Role.ADMIN.value)
_USER_MAY: Final = _may_take_part(_USER, col(Impersonation.user_id)) & (_USER.c.role != Role.ADMIN.value)

# Built once, since it runs on every request.
_CALLER: Final = (
    select(
        _USER.c.id,
        _USER.c.email,
        _USER.c.full_name,
        _USER.c.role,
        _USER.c.is_active,
        _USER.c.created_at,
        _USER.c.updated_at,
        col(Impersonation.admin_id),
    )
    .select_from(Impersonation)
    .join(_USER, _USER_MAY)
    .join(_ADMIN, _ADMIN_MAY)
    .where(
        col(Impersonation.id) == bindparam("impersonation_id"),
        col(Impersonation.ended_at).is_(None),
        col(Impersonation.expires_at) > _NOW,
    )
)


def is_in_effect(now: datetime) -> ColumnElement[bool]:
    """Return the condition that requests with the token are accepted."""
    return (
        col(Impersonation.ended_at).is_(None)
        & (col(Impersonation.expires_at) > now)
        & exists().where(_ADMIN_MAY)
        & exists().where(_USER_MAY)
    )


async def find_impersonated(database: Database, impersonation_id: UUID, identity: Identity) -> Caller | None:
    """Return the impersonated user as the caller; `None` if the impersonation is not in effect."""
    rows = await database.fetch(_CALLER, {"impersonation_id": impersonation_id, "now": utc_now()})
    if not rows:
        return None
    id_, email, full_name, role, is_active, created_at, updated_at, admin_id = rows[0]
    return Caller(
        id=id_,
        email=email,
        full_name=full_name,
        role=role,
        is_active=is_active,
        created_at=created_at,
        updated_at=updated_at,
        assurance=identity.assurance,
        impersonator_id=admin_id,
        impersonation_id=impersonation_id,
    )


async def find_in_effect(database: Database, ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of the impersonations are in effect."""
    statement = select(col(Impersonation.id)).where(col(Impersonation.id).in_(ids), is_in_effect(utc_now()))
    return frozenset(row[0] for row in await database.fetch(statement, {}))
