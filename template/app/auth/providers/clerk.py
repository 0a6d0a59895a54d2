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

from app.auth.claims import Claims, assurance_of, identity_of
from app.auth.jwks import KeySet, open_key_set
from app.auth.port import AssuranceLevel, AuthProvider, AuthProviderSpec, Identity, InvalidTokenError
from app.auth.providers import clerk_webhook
from app.auth.providers.clerk_settings import NAME, ClerkSettings
from app.auth.providers.clerk_user import email_of, name_of
from app.auth.tokens import TokenVerifier
from app.auth.unconfigured import UnconfiguredProvider
from app.core.runtime import Runtime
from app.kit.resilience.errors import UnavailableError
from app.kit.resilience.resilient import Resilient

logger = structlog.stdlib.get_logger(__name__)

ALGORITHMS = ("RS256",)
API_URL = "https://api.clerk.com"
TIMEOUT = timedelta(seconds=3)
FACTORS = 2
_USER_EDITABLE = ("unsafe_metadata",)


class ClerkProvider:
    """Users of a Clerk instance. Their address and name come from Clerk's Backend API.

    Args:
        settings: the instance.
        issuer: the URL of the instance's Frontend API.
        keys: the instance's keys.
        api: a client for Clerk's Backend API.
    """

    def __init__(self, settings: ClerkSettings, issuer: str, keys: KeySet, api: httpx.AsyncClient) -> None:
        # A session token has no `aud`. A token that has one comes from a JWT template, for another service.
        self._verifier = TokenVerifier(issuer=issuer, audiences=(), keys=dict.fromkeys(ALGORITHMS, keys))
        self._parties = frozenset(settings.CLERK_AUTHORIZED_PARTIES)
        self._secret = settings.CLERK_SECRET_KEY
        self._api = api
        # A request waits for the answer and can do without it: one attempt, and none while Clerk is down.
        self._calls = Resilient("Clerk", transient=_is_transient, timeout=TIMEOUT, attempts=1)

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        claims = await self._verifier.verify(token)
        self._check_party(claims)
        if claims.get("sts") == "pending":
            # The user has signed up and still must complete a task of the instance, such as joining an organisation.
            raise InvalidTokenError("The session is still pending at Clerk.", reason="pending")
        return identity_of(NAME, claims, assurance=replace(assurance_of(claims), level=_level(claims)))

    def _check_party(self, claims: Claims) -> None:
        """Refuse tokens that other pages requested.

        `azp` is the origin of the page that requested the token. Native apps send no origin, so Clerk leaves the claim
        out, and its documentation says to skip the check. That is safe here: `azp` protects against browsers that
        attach cookies by themselves, and this application reads tokens from headers only.
        """
        party = claims.get("azp")
        if party is None or not self._parties:
            return
        if not isinstance(party, str) or party not in self._parties:
            raise InvalidTokenError(reason="azp is not in CLERK_AUTHORIZED_PARTIES")

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`. Without CLERK_SECRET_KEY, only the webhook delivers address and name."""
        if self._secret is None:
            return identity
        try:
            user = await self._calls.call(partial(self._user, identity.subject, self._secret))
        except (httpx.HTTPError, ValueError, RecursionError, TimeoutError, UnavailableError) as error:
            logger.warning("profile_unavailable", provider=NAME, error=type(error).__name__)
            return identity
        if not isinstance(user, dict):
            return identity
        email = email_of(user)
        known = replace(identity, name=name_of(user) or identity.name)
        return known if email is None else replace(known, email=email, email_verified=True)

    async def _user(self, subject: str, secret: SecretStr) -> object:
        headers = {"Authorization": f"Bearer {secret.get_secret_value()}"}
        response = await self._api.get(f"/v1/users/{quote(subject, safe='')}", headers=headers)
        user: object = response.raise_for_status().json()
        return user


def _level(claims: Claims) -> AssuranceLevel:
    """Return the level by `fva`: the minutes since each factor was verified, -1 for a factor that was not.

    See https://clerk.com/docs/guides/sessions/session-tokens.
    """
    ages = claims.get("fva")
    if isinstance(ages, list) and len(ages) == FACTORS and isinstance(ages[1], int) and ages[1] >= 0:
        return "aal2"
    return "aal1"


def _is_transient(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[AuthProvider]:
    settings = runtime.resource(ClerkSettings)
    if settings.CLERK_ISSUER_URL is None:
        yield UnconfiguredProvider("CLERK_ISSUER_URL")
        return
    issuer = settings.CLERK_ISSUER_URL
    async with (
        open_key_set(f"{issuer}/.well-known/jwks.json", ALGORITHMS) as keys,
        httpx.AsyncClient(base_url=API_URL, timeout=TIMEOUT.total_seconds()) as api,
    ):
        yield ClerkProvider(settings, issuer, keys, api)


provider = AuthProviderSpec(
    name=NAME,
    settings=ClerkSettings,
    open=_open,
    public_router=clerk_webhook.router,
    inbox_handlers=(clerk_webhook.apply_clerk_event,),
    user_editable_claims=_USER_EDITABLE,
)
