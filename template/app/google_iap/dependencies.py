"""Dependencies of the routes for purchases in Google Play."""

from typing import Annotated

from fastapi import Depends, Request

from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep
from app.google_iap.google_play import GooglePlay
from app.google_iap.settings import GooglePlaySettings


async def configured_google_play(runtime: RuntimeDep) -> GooglePlay:
    """Return Google Play.

    Raises:
        NotFoundError: it is not configured, which is possible only in local.
    """
    if not runtime.resource(GooglePlaySettings).is_configured:
        raise NotFoundError("Google Play")
    return runtime.resource(GooglePlay)


GooglePlayDep = Annotated[GooglePlay, Depends(configured_google_play)]


async def verify_push(google_play: GooglePlayDep, request: Request) -> None:
    """Verify the token of a push request. See `PushVerifier.verify` for the errors."""
    await google_play.push.verify(request.headers.get("Authorization", ""))
