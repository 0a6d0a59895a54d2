"""Session tokens of Clerk (https://clerk.com/docs/guides/sessions/manual-jwt-verification)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from urllib.parse import quote

import httpx
import structlog
from httpx import codes
from pydantic import SecretStr

from app.auth.claims import Claims, identity_of
from app.auth.jwks import KeySet
from app.auth.port import AuthProvider, Identity, InvalidTokenError, ProviderPiece
from app.auth.providers import clerk_webhook
from app.auth.providers.clerk_settings import NAME, ClerkSettings
from app.auth.providers.clerk_user import email_of, name_of
from app.auth.tokens import TokenVerifier
from app.auth.unconfigured import UnconfiguredProvider
from app.core.runtime import Runtime
from app.kit.resilience import Resilient, UnavailableError

logger = structlog.stdlib.get_logger(__name__)

ALGORITHMS = ("RS256",)
API_URL = "https://api.clerk.com"
TIMEOUT = timedelta(seconds=3)


class ClerkProvider:
    """Whoever the verified token names; their address and name come from Clerk's Backend API.

    Args:
        issuer: the instance's Frontend API.
        settings: who else there is.
        api: a client whose base is Clerk's Backend API.
    """

    def __init__(self, issuer: str, settings: ClerkSettings, api: httpx.AsyncClient) -> None:
        keys = KeySet(f"{issuer}/.well-known/jwks.json", ALGORITHMS)
        # A session token has no `aud`: one that has comes from a JWT template, and is meant for somebody else.
        self._verifier = TokenVerifier(issuer=issuer, audience=None, keys=dict.fromkeys(ALGORITHMS, keys))
        self._parties = frozenset(settings.CLERK_AUTHORIZED_PARTIES)
        self._secret = settings.CLERK_SECRET_KEY
        self._api = api
        # Somebody waits for the answer, and can be served without it: one attempt, and none while Clerk is down.
        self._calls = Resilient("Clerk", transient=_passes, timeout=TIMEOUT, attempts=1)

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        claims = await self._verifier.verify(token)
        self._check_party(claims)
        if claims.get("sts") == "pending":
            # Signed up, but a task that the instance demands, such as joining an organisation, is still to be done.
            raise InvalidTokenError("The session is still pending at Clerk.")
        return identity_of(NAME, claims)

    def _check_party(self, claims: Claims) -> None:
        """Refuses tokens that were fetched by somebody else's pages.

        `azp` is the Origin of the page that fetched the token. Native apps send no Origin, so that Clerk leaves the
        claim out, and its documentation says to skip the check then. That is safe here: what `azp` guards against is
        a browser that attaches a cookie by itself, and this application reads tokens from a header only.
        """
        party = claims.get("azp")
        if party is None or not self._parties:
            return
        if not isinstance(party, str) or party not in self._parties:
            logger.info("token_refused", reason="azp is not in CLERK_AUTHORIZED_PARTIES")
            raise InvalidTokenError

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`. Without CLERK_SECRET_KEY the webhook brings address and name."""
        if self._secret is None:
            return identity
        try:
            user = await self._calls.call(partial(self._user, identity.subject, self._secret))
        except (httpx.HTTPError, ValueError, RecursionError, TimeoutError, UnavailableError) as error:
            logger.warning("profile_unavailable", provider=NAME, error=type(error).__name__)
            return identity
        if not isinstance(user, dict):
            return identity
        return replace(identity, email=email_of(user) or identity.email, name=name_of(user) or identity.name)

    async def _user(self, subject: str, secret: SecretStr) -> object:
        headers = {"Authorization": f"Bearer {secret.get_secret_value()}"}
        response = await self._api.get(f"/v1/users/{quote(subject, safe='')}", headers=headers)
        user: object = response.raise_for_status().json()
        return user


def _passes(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[AuthProvider]:
    settings = runtime.resource(ClerkSettings)
    if settings.CLERK_ISSUER_URL is None:
        yield UnconfiguredProvider("CLERK_ISSUER_URL")
        return
    async with httpx.AsyncClient(base_url=API_URL, timeout=TIMEOUT.total_seconds()) as api:
        yield ClerkProvider(settings.CLERK_ISSUER_URL, settings, api)


provider = ProviderPiece(
    name=NAME,
    settings=ClerkSettings,
    open=_open,
    public_router=clerk_webhook.router,
    inbox_handlers=(clerk_webhook.apply_clerk_event,),
)
