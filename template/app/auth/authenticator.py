"""Verification of the bearer tokens of requests."""

from app.auth.local import LOCAL_ISSUER, LOCAL_PROVIDER, LocalTokens
from app.auth.port import AnonymousUserError, AuthProvider, Identity
from app.auth.tokens import unverified_issuer


class Authenticator:
    """A verifier of tokens of the selected provider and, in local only, of `app token`.

    Get it with `runtime.resource(Authenticator)`.

    Args:
        provider: verifies tokens.
        local: verifies the tokens of `app token`.
        allow_anonymous: whether anonymous users of the provider are accepted.
    """

    def __init__(
        self, provider: AuthProvider, local: LocalTokens | None = None, *, allow_anonymous: bool = False
    ) -> None:
        self._provider = provider
        self._local = local
        self._allow_anonymous = allow_anonymous

    async def authenticate(self, token: str) -> Identity:
        """Verify a bearer token.

        Raises:
            InvalidTokenError: the token is not accepted (401).
            ServiceUnavailableError: the issuer's keys are unavailable (503).
        """
        if self._local is not None and unverified_issuer(token) == LOCAL_ISSUER:
            identity = await self._local.authenticate(token)
        else:
            identity = await self._provider.authenticate(token)
        if identity.assurance.is_anonymous and not self._allow_anonymous:
            raise AnonymousUserError(identity.subject)
        return identity

    async def profile(self, identity: Identity) -> Identity:
        """Complete the identity of a new user with address and name, as far as the provider knows them."""
        provider = self._local if self._local is not None and identity.provider == LOCAL_PROVIDER else self._provider
        return await provider.profile(identity)
