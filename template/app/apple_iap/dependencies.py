"""Dependencies of the routes for purchases in the App Store."""

from typing import Annotated

from fastapi import Depends

from app.apple_iap.app_store import AppStore
from app.apple_iap.settings import AppleSettings
from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep


async def configured_app_store(runtime: RuntimeDep) -> AppStore:
    """Return the App Store.

    Raises:
        NotFoundError: it is not configured, which is possible only in local.
    """
    if not runtime.resource(AppleSettings).is_configured:
        raise NotFoundError("App Store")
    return runtime.resource(AppStore)


AppStoreDep = Annotated[AppStore, Depends(configured_app_store)]
