"""Says who is calling: the one object that the rest of the application asks."""

from app.auth.local import LOCAL_ISSUER, LOCAL_PROVIDER, LocalTokens
from app.auth.port import AuthProvider, Identity
from app.auth.tokens import unverified_issuer


class Authenticator:
    """The chosen provider, and beside it, in local only, the tokens of `app token`.

    Read it with `runtime.resource(Authenticator)`.
    """

    def __init__(self, provider: AuthProvider, local: LocalTokens | None = None) -> None:
        self._provider = provider
        self._local = local

    async def authenticate(self, token: str) -> Identity:
        """Verifies a bearer token.

        Raises:
            InvalidTokenError: it is not to be trusted (401).
            ServiceUnavailableError: the issuer's keys cannot be had at the moment (503).
        """
        if self._local is not None and unverified_issuer(token) == LOCAL_ISSUER:
            return await self._local.authenticate(token)
        return await self._provider.authenticate(token)

    async def profile(self, identity: Identity) -> Identity:
        """The identity with address and name, as far as they are known; for somebody seen for the first time."""
        provider = self._local if self._local is not None and identity.provider == LOCAL_PROVIDER else self._provider
        return await provider.profile(identity)
