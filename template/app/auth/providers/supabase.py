"""Tokens of a Supabase project: its signing keys, or the legacy secret.

https://supabase.com/docs/guides/auth/jwts says how they are made, https://supabase.com/docs/guides/auth/jwt-fields what
is in them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.auth.claims import clean_name, identity_of, section
from app.auth.jwks import KeySet
from app.auth.port import AuthProvider, Identity, ProviderPiece
from app.auth.providers import supabase_webhook
from app.auth.providers.supabase_settings import NAME, SupabaseSettings
from app.auth.tokens import KeySource, SharedSecret, TokenVerifier
from app.auth.unconfigured import UnconfiguredProvider
from app.core.runtime import Runtime

ALGORITHMS = ("ES256", "RS256")
AUDIENCE = "authenticated"


class SupabaseProvider:
    """Whoever the verified token names.

    A project that moves from the legacy secret to signing keys issues both kinds for a while, so that with
    SUPABASE_JWT_SECRET both are accepted, each with its own key; without it HS256 is refused.
    """

    def __init__(self, url: str, settings: SupabaseSettings) -> None:
        issuer = f"{url}/auth/v1"
        sources: dict[str, KeySource] = dict.fromkeys(ALGORITHMS, KeySet(f"{issuer}/.well-known/jwks.json", ALGORITHMS))
        if settings.SUPABASE_JWT_SECRET is not None:
            sources["HS256"] = SharedSecret(settings.SUPABASE_JWT_SECRET)
        self._verifier = TokenVerifier(issuer=issuer, audience=AUDIENCE, keys=sources)

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        claims = await self._verifier.verify(token)
        # Users edit this metadata themselves: good for a name, and for nothing that decides anything.
        editable = section(claims, "user_metadata")
        return identity_of(NAME, claims, name=clean_name(editable.get("full_name")) or clean_name(editable.get("name")))

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`: all that there is, is in the token."""
        return identity


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[AuthProvider]:
    settings = runtime.resource(SupabaseSettings)
    url = settings.SUPABASE_PROJECT_URL
    yield UnconfiguredProvider("SUPABASE_PROJECT_URL") if url is None else SupabaseProvider(url, settings)


provider = ProviderPiece(
    name=NAME,
    settings=SupabaseSettings,
    open=_open,
    public_router=supabase_webhook.router,
    inbox_handlers=(supabase_webhook.apply_supabase_event,),
)
