"""Verification of the tokens that Pub/Sub sends with push requests.

See https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app.auth.jwks import KeySet, open_key_set
from app.auth.port import InvalidTokenError
from app.auth.tokens import TokenVerifier
from app.google_iap.errors import PushTokenError
from app.google_iap.settings import GooglePlaySettings

logger = structlog.stdlib.get_logger(__name__)

ISSUER: Final = "https://accounts.google.com"
KEYS_URL: Final = "https://www.googleapis.com"
KEYS_PATH: Final = "/oauth2/v3/certs"
ALGORITHM: Final = "RS256"


class PushVerifier:
    """Verifies the OpenID Connect token of a push request.

    Args:
        keys: Google's public keys.
        audience: as configured in the push subscription.
        email: the service account in whose name Pub/Sub sends. Any Google account can obtain a token of Google's for
            any audience, so the issuer and the audience alone prove nothing.
    """

    def __init__(self, keys: KeySet, *, audience: str, email: str) -> None:
        self._tokens = TokenVerifier(issuer=ISSUER, audiences=(audience,), keys={ALGORITHM: keys})
        self._email = email

    async def verify(self, authorization: str) -> None:
        """Verify the header `Authorization`.

        Raises:
            PushTokenError: the token is missing, or does not belong to our push subscription.
            ServiceUnavailableError: Google's public keys are unavailable.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise _refused("missing")
        try:
            claims = await self._tokens.verify(token.strip())
        except InvalidTokenError as error:
            raise _refused(error.reason) from None
        if claims.get("email") != self._email or claims.get("email_verified") is not True:
            raise _refused("email")


def _refused(reason: str) -> PushTokenError:
    logger.warning("google_push_refused", reason=reason)
    return PushTokenError()


@asynccontextmanager
async def open_push_verifier(settings: GooglePlaySettings) -> AsyncIterator[PushVerifier]:
    """Open the verifier for the push subscription that the settings describe."""
    url = f"{settings.GOOGLE_PLAY_API_URL or KEYS_URL}{KEYS_PATH}"
    async with open_key_set(url, (ALGORITHM,)) as keys:
        yield PushVerifier(keys, audience=settings.GOOGLE_PUBSUB_AUDIENCE, email=settings.GOOGLE_PUBSUB_SERVICE_ACCOUNT)
