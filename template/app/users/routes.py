"""Routes for the current user."""

from fastapi import APIRouter

from app.core.http.dependencies import SessionDep
from app.users.dependencies import CurrentUser
from app.users.repository import UserRepository
from app.users.schemas import ProfileUpdate, UserRead

router = APIRouter(prefix="/users")


@router.get("/me")
async def get_current_user(caller: CurrentUser) -> UserRead:
    """Get the current user."""
    return UserRead.model_validate(caller)


@router.patch("/me")
async def update_current_user(caller: CurrentUser, session: SessionDep, data: ProfileUpdate) -> UserRead:
    """Update the current user's name."""
    if not data.model_fields_set:
        return UserRead.model_validate(caller)
    users = UserRepository(session)
    return UserRead.model_validate(await users.update(await users.require(caller.id), data))
