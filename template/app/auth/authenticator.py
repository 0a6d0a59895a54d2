"""Verification of the bearer tokens of requests."""

from app.auth.local import LOCAL_PROVIDER, LocalTokens
from app.auth.port import AnonymousUserError, AuthProvider, Identity
from app.auth.tokens import unverified_issuer


class Authenticator:
    """A verifier of tokens of the selected provider, and of issuers inside this application.

    Get it with `runtime.resource(Authenticator)`.

    Args:
        provider: verifies tokens.
        local: verifies the tokens of `app token`, in local only.
        allow_anonymous: whether anonymous users of the provider are accepted.
    """

    def __init__(
        self, provider: AuthProvider, local: LocalTokens | None = None, *, allow_anonymous: bool = False
    ) -> None:
        self._provider = provider
        self._own: dict[str, AuthProvider] = {} if local is None else {LOCAL_PROVIDER: local}
        self._allow_anonymous = allow_anonymous

    def accept(self, issuer: str, provider: AuthProvider) -> None:
        """Accept the tokens of an issuer inside this application, whose identities have its name as their provider."""
        self._own[issuer] = provider

    async def authenticate(self, token: str) -> Identity:
        """Verify a bearer token.

        Raises:
            InvalidTokenError: the token is not accepted (401).
            ServiceUnavailableError: the issuer's keys are unavailable (503).
        """
        provider = self._provider
        if self._own and isinstance(issuer := unverified_issuer(token), str):
            provider = self._own.get(issuer, provider)
        identity = await provider.authenticate(token)
        if identity.assurance.is_anonymous and not self._allow_anonymous:
            raise AnonymousUserError(identity.subject)
        return identity

    async def profile(self, identity: Identity) -> Identity:
        """Complete the identity of a new user with address and name, as far as the provider knows them."""
        return await self._own.get(identity.provider, self._provider).profile(identity)
