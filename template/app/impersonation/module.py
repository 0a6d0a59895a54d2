"""Impersonation: administrators act as a user for a short time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.auth.authenticator import Authenticator
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.impersonation.admin_routes import router as admin_router
from app.impersonation.callers import ended_impersonations, impersonated_caller
from app.impersonation.data_policy import FIGURES, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.impersonation.models import Impersonation
from app.impersonation.sweeper import sweeping
from app.impersonation.tokens import ISSUER, ImpersonationTokens
from app.users.caller_sources import CallerSources


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    tokens = ImpersonationTokens(runtime.settings)
    runtime.provide(ImpersonationTokens, tokens)
    runtime.resource(Authenticator).accept(ISSUER, tokens)
    sources = runtime.resource(CallerSources)
    sources.by_provider[ISSUER] = impersonated_caller
    sources.find_ended = ended_impersonations
    yield


module = Module(
    name="impersonation",
    models=(Impersonation,),
    admin_router=admin_router,
    lifespan=_lifespan,
    background=sweeping,
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
)
