"""The port: verify a bearer token through an identity provider."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from fastapi import APIRouter

from app.core.config.settings import ModuleSettings
from app.core.errors import UnauthorizedError
from app.core.manifest import InboxHandler
from app.core.runtime import Runtime

type AssuranceLevel = Literal["aal1", "aal2"]
"""The factors with which the user signed in: one, or two (after NIST SP 800-63B)."""


class InvalidTokenError(UnauthorizedError):
    """The token is malformed, not yet valid, or signed by or for someone else. Counts as a failed authentication.

    Args:
        message: for the client.
        reason: for the log.
    """

    code = "INVALID_TOKEN"

    def __init__(self, message: str = "The bearer token is not valid.", *, reason: str = "invalid") -> None:
        super().__init__(message)
        self.reason = reason


class GenuineTokenError(InvalidTokenError):
    """The issuer signed the token for this application, but it is not accepted.

    Not a failed authentication: the client holds a token that can't be guessed, so other clients behind the same
    address must not be blocked.

    Args:
        subject: the subject of the token. Requests with such tokens are limited by it.
    """

    def __init__(self, message: str, *, subject: str, reason: str) -> None:
        super().__init__(message, reason=reason)
        self.subject = subject


class ExpiredTokenError(GenuineTokenError):
    """The token was valid until it expired."""

    def __init__(self, subject: str) -> None:
        super().__init__("The bearer token has expired.", subject=subject, reason="expired")


class AnonymousUserError(GenuineTokenError):
    """The token belongs to an anonymous user, and AUTH_ALLOW_ANONYMOUS is false."""

    code = "ANONYMOUS_NOT_ALLOWED"

    def __init__(self, subject: str) -> None:
        super().__init__("Anonymous users are not allowed. Sign up first.", subject=subject, reason="anonymous")


@dataclass(frozen=True, kw_only=True, slots=True)
class Assurance:
    """The trust level of the session behind a token.

    Attributes:
        level: one factor or two.
        is_anonymous: whether the user has never given credentials. Anyone can create such users without limit.
        actor: the subject of a support agent who acts as this user at the provider (`act`, RFC 8693 §4.1).
    """

    level: AssuranceLevel = "aal1"
    is_anonymous: bool = False
    actor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A user as the provider knows them. `(provider, subject)` never changes; the rest may change or be unknown.

    Attributes:
        email_verified: whether the provider states that the user owns the address.
        issued_at: when the token was issued, if it says so.
        assurance: how far the token's session can be trusted.
        claims: the verified claims of the token; empty if there was none.
    """

    provider: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    issued_at: datetime | None = field(default=None, compare=False)
    assurance: Assurance = field(default_factory=Assurance, compare=False)
    claims: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


class AuthProvider(Protocol):
    """An identity provider whose tokens the application accepts."""

    async def authenticate(self, token: str) -> Identity:
        """Verify a bearer token.

        Raises:
            InvalidTokenError: the token is not accepted.
            ServiceUnavailableError: the issuer's keys are unavailable.
        """
        ...

    async def profile(self, identity: Identity) -> Identity:
        """Complete the identity of a new user, if the token does not contain address and name.

        If the provider does not answer, return the identity unchanged.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthProviderSpec:
    """A provider's contribution to the application. Each module in `app/auth/providers/` exposes one as `provider`.

    Attributes:
        name: the value of AUTH_PROVIDER that selects it, and the `provider` of its identities.
        settings: its settings class.
        open: creates the provider when the application starts and closes its resources when it stops.
        public_router: its webhook.
        inbox_handlers: the handlers of its webhook's events.
        user_editable_claims: claims of its tokens whose content users can change themselves.
    """

    name: str
    settings: type[ModuleSettings]
    open: Callable[[Runtime], AbstractAsyncContextManager[AuthProvider]]
    public_router: APIRouter | None = None
    inbox_handlers: tuple[InboxHandler, ...] = ()
    user_editable_claims: tuple[str, ...] = ()
