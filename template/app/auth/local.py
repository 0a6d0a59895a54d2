"""Bearer tokens for development. They work with ENVIRONMENT=local only."""

import hashlib
from datetime import timedelta

import jwt

from app.auth.claims import identity_of
from app.auth.port import Identity
from app.auth.tokens import SharedSecrets, TokenVerifier
from app.core.config.settings import Settings
from app.core.db.models import utc_now

LOCAL_PROVIDER = LOCAL_ISSUER = "local"
LOCAL_AUDIENCE = "local-development"
_ALGORITHM = "HS256"


class NotLocalError(Exception):
    """Local tokens were requested in a deployed environment."""

    def __init__(self) -> None:
        super().__init__("Local tokens work with ENVIRONMENT=local only. Sign in at the identity provider instead.")


def local_subject(email: str) -> str:
    """Return the subject of an address. It is always the same, whatever the case of the address."""
    return f"local_{hashlib.sha256(email.strip().lower().encode()).hexdigest()[:32]}"


def mint(
    settings: Settings,
    *,
    email: str,
    subject: str | None = None,
    name: str | None = None,
    expires_in: timedelta = timedelta(hours=12),
) -> str:
    """Return a token that this application accepts for the user with this address.

    Args:
        subject: the user's subject; by default `local_subject(email)`.

    Raises:
        NotLocalError: the environment is not local.
    """
    if not settings.is_local:
        raise NotLocalError
    now = utc_now()
    claims: dict[str, object] = {
        "iss": LOCAL_ISSUER,
        "aud": LOCAL_AUDIENCE,
        "sub": subject or local_subject(email),
        "email": email,
        "email_verified": True,
        "iat": now,
        "nbf": now,
        "exp": now + expires_in,
    }
    if name is not None:
        claims["name"] = name
    return jwt.encode(claims, settings.SECRET_KEY.get_secret_value(), algorithm=_ALGORITHM)


class LocalTokens:
    """A verifier of the tokens that `mint` returns.

    Raises:
        NotLocalError: the environment is not local.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.is_local:
            raise NotLocalError
        self._verifier = TokenVerifier(
            issuer=LOCAL_ISSUER,
            audiences=(LOCAL_AUDIENCE,),
            keys={_ALGORITHM: SharedSecrets(settings.secret_keys)},
        )

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        return identity_of(LOCAL_PROVIDER, await self._verifier.verify(token))

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`. The token contains everything."""
        return identity
