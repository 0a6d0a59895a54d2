"""Admin routes for feature flags."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, status
from sqlmodel import col

from app.core.db.pagination import Page, PageDep
from app.core.errors import NotFoundError
from app.core.http.dependencies import SessionDep
from app.feature_flags.dependencies import FeatureFlagsDep, FlagAdministrationDep
from app.feature_flags.evaluation import Reason
from app.feature_flags.models import KEY_LENGTH, FeatureFlagUser
from app.feature_flags.repository import FlagRepository, FlagUserRepository
from app.feature_flags.schemas import FlagCheck, FlagCreate, FlagQuery, FlagRead, FlagUpdate, FlagUsers, ListedUser
from app.users.dependencies import CurrentUser
from app.users.repository import UserRepository

router = APIRouter(prefix="/feature-flags")

KeyInPath = Annotated[str, Path(max_length=KEY_LENGTH)]


@router.get("")
async def list_flags(session: SessionDep, query: Annotated[FlagQuery, Query()]) -> Page[FlagRead]:
    """List flags, newest first."""
    flags = FlagRepository(session)
    return await flags.page(FlagRead, query.page, search=query.search, filters=query.filters, sort=query.sort)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_flag(data: FlagCreate, administration: FlagAdministrationDep) -> FlagRead:
    """Create a flag. By default it is disabled; once enabled, it is on for everyone."""
    return await administration.create(data)


@router.get("/{flag_id}")
async def get_flag(flag_id: UUID, session: SessionDep) -> FlagRead:
    """Get a flag."""
    return FlagRead.model_validate(await FlagRepository(session).require(flag_id))


@router.get("/key/{key}")
async def get_flag_by_key(key: KeyInPath, session: SessionDep) -> FlagRead:
    """Get a flag by its key."""
    return FlagRead.model_validate(await FlagRepository(session).require_key(key))


@router.patch("/{flag_id}")
async def update_flag(flag_id: UUID, data: FlagUpdate, administration: FlagAdministrationDep) -> FlagRead:
    """Update a flag. Omitted fields stay unchanged."""
    return await administration.change(flag_id, data)


@router.delete("/{flag_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_flag(flag_id: UUID, administration: FlagAdministrationDep) -> None:
    """Delete a flag and its list of users. It is then off for everyone."""
    await administration.delete(flag_id)


@router.post("/{flag_id}/enable")
async def enable_flag(flag_id: UUID, administration: FlagAdministrationDep) -> FlagRead:
    """Enable a flag. It is then on for users whom one of its rules matches, from its start until its end."""
    return await administration.switch(flag_id, enabled=True)


@router.post("/{flag_id}/disable")
async def disable_flag(flag_id: UUID, administration: FlagAdministrationDep) -> FlagRead:
    """Disable a flag. It is then off for everyone."""
    return await administration.switch(flag_id, enabled=False)


@router.post("/{flag_id}/add-user")
async def add_user_to_flag(flag_id: UUID, data: FlagUsers, administration: FlagAdministrationDep) -> FlagRead:
    """Add users to a flag's list. The list counts for rules with `listed`."""
    return await administration.add_users(flag_id, data.ids)


@router.post("/{flag_id}/remove-user")
async def remove_user_from_flag(flag_id: UUID, data: FlagUsers, administration: FlagAdministrationDep) -> FlagRead:
    """Remove users from a flag's list. Users who are not in it are ignored."""
    return await administration.remove_users(flag_id, data.ids)


@router.get("/{flag_id}/users")
async def list_users_of_flag(flag_id: UUID, session: SessionDep, page: PageDep) -> Page[ListedUser]:
    """List the users in a flag's list, newest first."""
    await FlagRepository(session).require(flag_id)
    listed = FlagUserRepository(session)
    return await listed.page(ListedUser, page, col(FeatureFlagUser.flag_id) == flag_id)


@router.get("/check/{key}")
async def check_flag(
    key: KeyInPath,
    caller: CurrentUser,
    session: SessionDep,
    flags: FeatureFlagsDep,
    user_id: Annotated[UUID | None, Query(description="The user. By default, the current user.")] = None,
) -> FlagCheck:
    """Evaluate a flag for a user, and explain the result."""
    if user_id is not None:
        await UserRepository(session).require(user_id)
    evaluation = await flags.evaluate(key, user_id or caller)
    if evaluation.reason is Reason.UNKNOWN:
        raise NotFoundError("FeatureFlag", key)
    return FlagCheck(
        key=key,
        user_id=user_id or caller.id,
        enabled=evaluation.enabled,
        reason=evaluation.reason,
        rule=evaluation.rule,
    )
