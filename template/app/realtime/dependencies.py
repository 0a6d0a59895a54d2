"""Dependencies of the routes."""

from typing import Annotated

from fastapi import Depends

from app.core.http.dependencies import RuntimeDep
from app.realtime.hub import Hub


async def hub_of(runtime: RuntimeDep) -> Hub:
    """Return the connections and subscriptions of this process."""
    return runtime.resource(Hub)


HubDep = Annotated[Hub, Depends(hub_of)]
