"""The route that shows users their flags."""

from fastapi import APIRouter

from app.feature_flags.dependencies import FeatureFlagsDep
from app.feature_flags.schemas import EnabledFlags
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/feature-flags")


@router.get("")
async def list_enabled_flags(user: CurrentUser, flags: FeatureFlagsDep) -> EnabledFlags:
    """List the keys of the flags that are on for the current user."""
    return EnabledFlags(enabled=await flags.enabled_keys(user))
