"""The port: who is calling, as a provider of identities says it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter

from app.core.config.settings import ModuleSettings
from app.core.errors import UnauthorizedError
from app.core.manifest import InboxHandler
from app.core.runtime import Runtime


class InvalidTokenError(UnauthorizedError):
    """The token is malformed, expired, not yet valid, or signed by or for somebody else."""

    code = "INVALID_TOKEN"

    def __init__(self, message: str = "The bearer token is not valid.") -> None:
        super().__init__(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Somebody as the provider knows them: `(provider, subject)` never changes, the rest may, or may be unknown."""

    provider: str
    subject: str
    email: str | None = None
    name: str | None = None


class AuthProvider(Protocol):
    """Says whose token it is."""

    async def authenticate(self, token: str) -> Identity:
        """Verifies a bearer token.

        Raises:
            InvalidTokenError: it is not to be trusted.
            ServiceUnavailableError: the issuer's keys cannot be had at the moment.
        """
        ...

    async def profile(self, identity: Identity) -> Identity:
        """Completes an identity that is seen for the first time, where the token does not carry address and name.

        Never raises because the provider does not answer: the identity then stays as it is.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderPiece:
    """What a provider adds to the application; each of `app/auth/providers/` builds one as `provider`.

    Attributes:
        name: the value of AUTH_PROVIDER that selects it, and the `provider` of its identities.
        settings: its settings class.
        open: makes the provider when the application starts, and closes what it holds when it stops.
        public_router: its webhook.
        inbox_handlers: what handles its webhook's events.
    """

    name: str
    settings: type[ModuleSettings]
    open: Callable[[Runtime], AbstractAsyncContextManager[AuthProvider]]
    public_router: APIRouter | None = None
    inbox_handlers: tuple[InboxHandler, ...] = ()
