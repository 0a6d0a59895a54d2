"""The tokens of impersonations: of an issuer and a key of the application's own, for every identity provider."""

from typing import Final
from uuid import UUID

import jwt
from pydantic import SecretStr

from app.auth.claims import identity_of
from app.auth.port import Identity, InvalidTokenError
from app.auth.tokens import SharedSecrets, TokenVerifier
from app.core.config.settings import Settings
from app.impersonation.models import Impersonation
from app.kit.derived_key import derived_key

ISSUER: Final = "urn:app:impersonation"
"""The issuer, the audience, and the provider of the identities."""
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693 §3
_ALGORITHM: Final = "HS256"


class ImpersonationTokens:
    """The issuer and verifier of the tokens. The keys are derived from SECRET_KEY and SECRET_KEY_PREVIOUS."""

    def __init__(self, settings: Settings) -> None:
        keys = [SecretStr(_derive(secret)) for secret in settings.secret_keys]
        self._key = keys[0]
        self._verifier = TokenVerifier(issuer=ISSUER, audiences=(ISSUER,), keys={_ALGORITHM: SharedSecrets(keys)})

    def issue(self, impersonation: Impersonation) -> str:
        """Return the token of an impersonation. `act` is the administrator who acts (RFC 8693 §4.1)."""
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": str(impersonation.user_id),
            "act": {"sub": str(impersonation.admin_id)},
            "jti": str(impersonation.id),
            "iat": impersonation.created_at,
            "nbf": impersonation.created_at,
            "exp": impersonation.expires_at,
        }
        return jwt.encode(claims, self._key.get_secret_value(), algorithm=_ALGORITHM, headers={"typ": "at+jwt"})

    async def authenticate(self, token: str) -> Identity:
        """See `AuthProvider.authenticate`."""
        return identity_of(ISSUER, await self._verifier.verify(token))

    async def profile(self, identity: Identity) -> Identity:
        """See `AuthProvider.profile`. The user exists already."""
        return identity


def impersonation_id(identity: Identity) -> UUID:
    """Return the id of the impersonation that a verified token stands for.

    Raises:
        InvalidTokenError: the token has none.
    """
    try:
        return UUID(str(identity.claims.get("jti")))
    except ValueError as error:
        raise InvalidTokenError(reason="jti") from error


def _derive(secret: SecretStr) -> str:
    return derived_key(secret, "tokens of impersonation").hex()
