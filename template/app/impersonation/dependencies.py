"""Dependencies of the routes for impersonation."""

from typing import Annotated

from fastapi import Depends

from app.core.http.dependencies import ActorDep, RuntimeDep, SessionDep
from app.impersonation.service import Impersonations


async def impersonations(session: SessionDep, runtime: RuntimeDep, actor: ActorDep) -> Impersonations:
    """Return the impersonations, as the current administrator changes them."""
    return Impersonations(session, runtime.audit, actor)


ImpersonationsDep = Annotated[Impersonations, Depends(impersonations)]
