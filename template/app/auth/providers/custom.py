"""Tokens of your own issuer: any OpenID Connect server with a JWKS, or a service that shares SECRET_KEY (HS256)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from app.auth.claims import identity_of
from app.auth.jwks import open_key_set
from app.auth.port import AuthProvider, AuthProviderSpec, Identity
from app.auth.tokens import SharedSecrets, TokenVerifier
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


def _audiences(value: str | None) -> str | None:
    if value is not None and not all(split_audiences(value)):
        raise ValueError("contains an empty audience")
    return value


class CustomSettings(ModuleSettings):
    """With OAUTH_JWKS_URL, the issuer's published keys verify tokens; without it, SECRET_KEY does."""

    OAUTH_JWKS_URL: SecureUrl = None
    OAUTH_AUDIENCE: Annotated[
        str | None, AfterValidator(_required_with_keys), AfterValidator(_audiences), RequiredOutsideLocal
    ] = None
    OAUTH_ISSUER: Annotated[str | None, AfterValidator(_required_with_keys), RequiredOutsideLocal] = None


class CustomProvider:
    """Users of your own issuer."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        return identity_of(NAME, await self._verifier.verify(token))

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`. The token contains everything."""
        return identity


def split_audiences(value: str | None) -> tuple[str, ...]:
    """Return the audiences in a comma-separated list."""
    return () if value is None else tuple(audience.strip() for audience in value.split(","))


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[AuthProvider]:
    settings = runtime.resource(CustomSettings)
    audiences = split_audiences(settings.OAUTH_AUDIENCE)
    if settings.OAUTH_ISSUER is None:
        yield UnconfiguredProvider("OAUTH_ISSUER")
    elif settings.OAUTH_JWKS_URL is None:
        secrets = SharedSecrets(runtime.settings.secret_keys)
        yield CustomProvider(TokenVerifier(issuer=settings.OAUTH_ISSUER, audiences=audiences, keys={"HS256": secrets}))
    else:
        async with open_key_set(settings.OAUTH_JWKS_URL, ALGORITHMS) as keys:
            sources = dict.fromkeys(ALGORITHMS, keys)
            yield CustomProvider(
                TokenVerifier(issuer=settings.OAUTH_ISSUER, audiences=audiences, keys=sources, accept_client_id=True)
            )


provider = AuthProviderSpec(name=NAME, settings=CustomSettings, open=_open)
