"""Tokens of your own issuer: any OpenID Connect server with a JWKS, or a service that shares SECRET_KEY (HS256)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from app.auth.claims import identity_of
from app.auth.jwks import KeySet
from app.auth.port import AuthProvider, Identity, ProviderPiece
from app.auth.tokens import SharedSecret, TokenVerifier
from app.auth.unconfigured import UnconfiguredProvider
from app.auth.urls import SecureUrl
from app.core.config.settings import ModuleSettings, RequiredOutsideLocal
from app.core.runtime import Runtime

NAME = "custom"
ALGORITHMS = ("RS256", "ES256", "EdDSA")


def _required_with_keys(value: str | None, info: ValidationInfo) -> str | None:
    if not value and info.data.get("OAUTH_JWKS_URL"):
        raise ValueError("is required with OAUTH_JWKS_URL")
    return value


class CustomSettings(ModuleSettings):
    """With OAUTH_JWKS_URL the issuer's keys verify; without it, SECRET_KEY does."""

    OAUTH_JWKS_URL: SecureUrl = None
    OAUTH_AUDIENCE: Annotated[str | None, AfterValidator(_required_with_keys)] = None
    OAUTH_ISSUER: Annotated[str | None, AfterValidator(_required_with_keys), RequiredOutsideLocal] = None


class CustomProvider:
    """Whoever the verified token names."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        return identity_of(NAME, await self._verifier.verify(token))

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`: all that there is, is in the token."""
        return identity


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[AuthProvider]:
    settings = runtime.resource(CustomSettings)
    if settings.OAUTH_ISSUER is None:
        yield UnconfiguredProvider("OAUTH_ISSUER")
        return
    if settings.OAUTH_JWKS_URL is not None:
        keys = KeySet(settings.OAUTH_JWKS_URL, ALGORITHMS)
        sources = dict.fromkeys(ALGORITHMS, keys)
        verifier = TokenVerifier(issuer=settings.OAUTH_ISSUER, audience=settings.OAUTH_AUDIENCE, keys=sources)
    else:
        secret = SharedSecret(runtime.settings.SECRET_KEY)
        verifier = TokenVerifier(issuer=settings.OAUTH_ISSUER, audience=settings.OAUTH_AUDIENCE, keys={"HS256": secret})
    yield CustomProvider(verifier)


provider = ProviderPiece(name=NAME, settings=CustomSettings, open=_open)
