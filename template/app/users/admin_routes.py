"""Admin routes for users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlmodel import col

from app.core.db.pagination import Page, PageDep
from app.core.http.dependencies import ReplicaSessionDep, SessionDep
from app.kit.text import SearchText
from app.users.dependencies import AdministrationDep
from app.users.models import User
from app.users.repository import UserRepository
from app.users.schemas import RoleName, UserRead, UserUpdate

router = APIRouter(prefix="/users")


@router.get("")
async def list_users(
    session: ReplicaSessionDep,
    page: PageDep,
    search: Annotated[SearchText | None, Query(description="Part of an address or a name.")] = None,
    role: Annotated[RoleName | None, Query(description="Only users with this role.")] = None,
    is_active: Annotated[bool | None, Query(description="Only active or only deactivated users.")] = None,
) -> Page[UserRead]:
    """List users, newest first."""
    where = []
    if role is not None:
        where.append(col(User.role) == role)
    if is_active is not None:
        where.append(col(User.is_active) == is_active)
    return await UserRepository(session).page(UserRead, page, *where, search=search)


@router.get("/{user_id}")
async def get_user(user_id: UUID, session: SessionDep) -> UserRead:
    """Get a user."""
    return UserRead.model_validate(await UserRepository(session).require(user_id))


@router.patch("/{user_id}")
async def update_user(user_id: UUID, data: UserUpdate, administration: AdministrationDep) -> UserRead:
    """Update a user's name or role.

    Administrators cannot change their own role.
    """
    return UserRead.model_validate(await administration.change(user_id, data))


@router.post("/{user_id}/deactivate")
async def deactivate_user(user_id: UUID, administration: AdministrationDep) -> UserRead:
    """Deactivate a user.

    Takes effect with the user's next request. No data is deleted.
    """
    return UserRead.model_validate(await administration.deactivate(user_id))


@router.post("/{user_id}/activate")
async def activate_user(user_id: UUID, administration: AdministrationDep) -> UserRead:
    """Activate a user."""
    return UserRead.model_validate(await administration.activate(user_id))
