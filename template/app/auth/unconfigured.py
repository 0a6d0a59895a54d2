"""The provider of a project that is only tried out: nothing is set, in local."""

from app.auth.port import Identity, InvalidTokenError


class UnconfiguredProvider:
    """Accepts nothing, and says what to do.

    Args:
        setting: the setting that is missing.
    """

    def __init__(self, setting: str) -> None:
        self._message = f"{setting} is not set, so that only tokens made by `app token` are accepted."

    async def authenticate(self, token: str) -> Identity:  # noqa: ARG002 - the port's signature
        """See `AuthProvider.authenticate`."""
        raise InvalidTokenError(self._message)

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`."""
        return identity
