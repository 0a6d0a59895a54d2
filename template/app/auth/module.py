"""Authentication: bearer tokens of the selected identity provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from app.auth.authenticator import Authenticator
from app.auth.local import LocalTokens
from app.auth.providers.registry import PROVIDERS
from app.auth.settings import AuthSettings
from app.core.manifest import Module
from app.core.runtime import Runtime


def _webhooks() -> APIRouter:
    router = APIRouter()
    for provider in PROVIDERS:
        if provider.public_router is not None:
            router.include_router(provider.public_router)
    return router


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(AuthSettings)
    piece = next(provider for provider in PROVIDERS if provider.name == settings.AUTH_PROVIDER)
    local = LocalTokens(runtime.settings) if runtime.settings.is_local else None
    async with piece.open(runtime) as provider:
        authenticator = Authenticator(provider, local, allow_anonymous=settings.AUTH_ALLOW_ANONYMOUS)
        runtime.provide(Authenticator, authenticator)
        yield


module = Module(
    name="auth",
    settings=(AuthSettings, *(provider.settings for provider in PROVIDERS)),
    public_router=_webhooks(),
    inbox_handlers=tuple(handler for provider in PROVIDERS for handler in provider.inbox_handlers),
    lifespan=_lifespan,
)
