"""The connection to Google Play, as a resource of the runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.core.runtime import Runtime
from app.google_iap.api import GooglePlayApi, open_api
from app.google_iap.provider import GooglePlayProvider
from app.google_iap.push import PushVerifier, open_push_verifier
from app.google_iap.settings import GooglePlaySettings
from app.payments.port import BillingProviders


@dataclass(frozen=True, slots=True)
class GooglePlay:
    """Google Play, if the settings name an app and a service account."""

    api: GooglePlayApi
    push: PushVerifier
    provider: GooglePlayProvider


@asynccontextmanager
async def connect(runtime: Runtime) -> AsyncIterator[None]:
    """Connect to Google Play and register it as a payment provider, unless it is not configured."""
    settings = runtime.resource(GooglePlaySettings)
    if not settings.is_configured:
        yield
        return
    async with open_api(settings) as api, open_push_verifier(settings) as push:
        provider = GooglePlayProvider(api)
        runtime.provide(GooglePlay, GooglePlay(api, push, provider))
        runtime.resource(BillingProviders).add(provider)
        yield
