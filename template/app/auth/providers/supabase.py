"""Tokens of a Supabase project, signed with its signing keys or the legacy secret.

See https://supabase.com/docs/guides/auth/jwts and https://supabase.com/docs/guides/auth/jwt-fields.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from app.auth.claims import assurance_of, clean_name, identity_of, section
from app.auth.jwks import KeySet, open_key_set
from app.auth.port import AuthProvider, AuthProviderSpec, Identity, InvalidTokenError
from app.auth.providers import supabase_webhook
from app.auth.providers.supabase_settings import NAME, SupabaseSettings
from app.auth.tokens import KeySource, SharedSecrets, TokenVerifier
from app.auth.unconfigured import UnconfiguredProvider
from app.core.runtime import Runtime

ALGORITHMS = ("ES256", "RS256")
AUDIENCE: Final = "authenticated"
ROLE: Final = "authenticated"
"""The role of users. The project's API keys have the role `anon` or `service_role` and are not users."""

_USER_EDITABLE: Final = ("user_metadata",)


def issuer_of(project_url: str) -> str:
    """Return the issuer of a project's tokens."""
    return f"{project_url}/auth/v1"


class SupabaseProvider:
    """Users of a Supabase project.

    A project that migrates from the legacy secret to signing keys issues both kinds of tokens for a while. With
    SUPABASE_JWT_SECRET both are accepted, each with its own key. Without it, HS256 is refused.
    """

    def __init__(self, settings: SupabaseSettings, issuer: str, keys: KeySet) -> None:
        sources: dict[str, KeySource] = dict.fromkeys(ALGORITHMS, keys)
        if settings.SUPABASE_JWT_SECRET is not None:
            sources["HS256"] = SharedSecrets([settings.SUPABASE_JWT_SECRET])
        self._verifier = TokenVerifier(issuer=issuer, audiences=(AUDIENCE,), keys=sources)

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        claims = await self._verifier.verify(token)
        if claims.get("role") != ROLE:
            raise InvalidTokenError(reason="role")
        # Users can edit this metadata themselves. It may contain a name, but never decides anything.
        editable = section(claims, "user_metadata")
        return identity_of(
            NAME,
            claims,
            name=clean_name(editable.get("full_name")) or clean_name(editable.get("name")),
            assurance=replace(assurance_of(claims), level="aal2" if claims.get("aal") == "aal2" else "aal1"),
        )

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`. The token contains everything."""
        return identity


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[AuthProvider]:
    settings = runtime.resource(SupabaseSettings)
    if settings.SUPABASE_PROJECT_URL is None:
        yield UnconfiguredProvider("SUPABASE_PROJECT_URL")
        return
    issuer = issuer_of(settings.SUPABASE_PROJECT_URL)
    async with open_key_set(f"{issuer}/.well-known/jwks.json", ALGORITHMS) as keys:
        yield SupabaseProvider(settings, issuer, keys)


provider = AuthProviderSpec(
    name=NAME,
    settings=SupabaseSettings,
    open=_open,
    public_router=supabase_webhook.router,
    inbox_handlers=(supabase_webhook.apply_supabase_event,),
    user_editable_claims=_USER_EDITABLE,
)
