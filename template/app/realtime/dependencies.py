"""Dependencies of the routes."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials

from app.auth.bearer import BearerToken
from app.core.http.dependencies import RuntimeDep
from app.realtime.hub import Hub


async def hub_of(runtime: RuntimeDep) -> Hub:
    """Return the connections and subscriptions of this process."""
    return runtime.resource(Hub)


HubDep = Annotated[Hub, Depends(hub_of)]

TokenDep = Annotated[HTTPAuthorizationCredentials | None, Depends(BearerToken())]
