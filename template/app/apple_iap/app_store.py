"""The connection to the App Store, as a resource of the runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.apple_iap.settings import AppleSettings
from app.core.runtime import Runtime
from app.payments.port import BillingProviders

if TYPE_CHECKING:
    from app.apple_iap.api import AppStoreApi
    from app.apple_iap.provider import AppleProvider
    from app.apple_iap.verification import AppStoreVerifier


@dataclass(frozen=True, slots=True)
class AppStore:
    """The App Store, if the settings name an app and a key."""

    verifier: "AppStoreVerifier"
    api: "AppStoreApi"
    provider: "AppleProvider"


@asynccontextmanager
async def connect(runtime: Runtime) -> AsyncIterator[None]:
    """Connect to the App Store and register it as a payment provider, unless it is not configured."""
    settings = runtime.resource(AppleSettings)
    if not settings.is_configured:
        yield
        return
    # Apple's library takes most of a second to import, which commands without the App Store need not wait for.
    from app.apple_iap.api import open_api  # noqa: PLC0415
    from app.apple_iap.provider import AppleProvider  # noqa: PLC0415
    from app.apple_iap.verification import AppStoreVerifier  # noqa: PLC0415

    verifier = AppStoreVerifier(
        root_sha256=settings.APPLE_ROOT_SHA256, bundle_id=settings.APPLE_BUNDLE_ID, app_id=settings.APPLE_APP_ID
    )
    try:
        async with open_api(settings) as api:
            provider = AppleProvider(verifier, api)
            runtime.provide(AppStore, AppStore(verifier, api, provider))
            runtime.resource(BillingProviders).add(provider)
            yield
    finally:
        verifier.close()
