"""Admin routes for impersonation."""

from fastapi import APIRouter, Depends, status

from app.core.db.models import utc_now
from app.core.db.pagination import Page, PageDep
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.http.rate_limit import RateLimit
from app.impersonation.dependencies import ImpersonationsDep
from app.impersonation.queries import is_in_effect
from app.impersonation.repository import ImpersonationRepository
from app.impersonation.schemas import (
    EndedImpersonations,
    ImpersonationRead,
    ImpersonationStart,
    ImpersonationStop,
    StartedImpersonation,
)
from app.impersonation.service import LIFETIME
from app.impersonation.tokens import ImpersonationTokens

router = APIRouter(prefix="/impersonate")


@router.post(
    "/start",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Depends(RateLimit("20/minute", name="impersonation"))],
)
async def start_impersonation(
    data: ImpersonationStart, service: ImpersonationsDep, runtime: RuntimeDep
) -> StartedImpersonation:
    """Start to impersonate a user, and return a token for requests as this user.

    The token is valid for 15 minutes, but not for the admin area, billing, and other private routes. Your present
    impersonation ends. Administrators cannot be impersonated.
    """
    started = await service.start(data.user_id, data.reason)
    return StartedImpersonation(
        access_token=runtime.resource(ImpersonationTokens).issue(started),
        expires_in=int(LIFETIME.total_seconds()),
        impersonation=ImpersonationRead.model_validate(started),
    )


@router.post("/stop")
async def stop_impersonation(service: ImpersonationsDep, data: ImpersonationStop | None = None) -> EndedImpersonations:
    """End your impersonation, or another administrator's. Its token is refused from now on."""
    ended = await service.stop(None if data is None else data.impersonation_id)
    return EndedImpersonations(items=[ImpersonationRead.model_validate(each) for each in ended])


@router.get("/active")
async def list_active_impersonations(session: SessionDep, page: PageDep) -> Page[ImpersonationRead]:
    """List the impersonations of all administrators whose tokens are accepted, newest first."""
    return await ImpersonationRepository(session).page(ImpersonationRead, page, is_in_effect(utc_now()))
