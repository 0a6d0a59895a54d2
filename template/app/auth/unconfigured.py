"""The provider of a local project whose identity provider is not configured yet."""

from app.auth.port import Identity, InvalidTokenError


class UnconfiguredProvider:
    """A provider that refuses every token and names the missing setting.

    Args:
        setting: the missing setting.
    """

    def __init__(self, setting: str) -> None:
        self._message = f"{setting} is not set. Until it is, only tokens of `app token` are accepted."

    async def authenticate(self, token: str) -> Identity:  # noqa: ARG002 - the port's signature
        """See `AuthProvider.authenticate`."""
        raise InvalidTokenError(self._message, reason="unconfigured")

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`."""
        return identity
