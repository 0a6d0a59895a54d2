"""Access tokens of a service account: a signed assertion is exchanged for one (RFC 7523).

See https://developers.google.com/identity/protocols/oauth2/service-account#httprest.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import httpx
import jwt
from httpx import codes
from pydantic import BaseModel, Field, SecretStr

from app.google_iap.settings import ServiceAccount

SCOPE: Final = "https://www.googleapis.com/auth/androidpublisher"
GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFETIME: Final = timedelta(hours=1)
MARGIN: Final = timedelta(minutes=2)
"""The remaining lifetime at which an access token is replaced."""


class ServiceAccountRefusedError(Exception):
    """Google does not accept the service account's key."""


class _TokenResponse(BaseModel):
    access_token: SecretStr = Field(min_length=1, max_length=4096)
    expires_in: int = Field(ge=0, le=24 * 3600)


class AccessTokens:
    """The access token of a service account, kept until shortly before it expires. Concurrent calls share one request.

    Args:
        http_client: sends the request. The caller sets the deadline.
        clock: returns seconds since 1970.
    """

    def __init__(
        self, http_client: httpx.AsyncClient, account: ServiceAccount, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._http_client = http_client
        self._account = account
        self._clock = clock
        self._token = ""
        self._replace_at = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """Return a valid access token.

        Raises:
            ServiceAccountRefusedError: the key is not accepted.
            httpx.HTTPError: the token endpoint does not answer, or with a temporary error.
            ValueError: it answered something else.
        """
        async with self._lock:
            if not self._token or self._clock() >= self._replace_at:
                answer = await self._request()
                self._token = answer.access_token.get_secret_value()
                self._replace_at = self._clock() + answer.expires_in - MARGIN.total_seconds()
            return self._token

    def discard(self, token: str) -> None:
        """Request a new token next time, because this one was refused."""
        if token == self._token:
            self._token = ""

    async def _request(self) -> _TokenResponse:
        data = {"grant_type": GRANT_TYPE, "assertion": self._assertion()}
        response = await self._http_client.post(self._account.token_uri, data=data)
        if response.is_client_error and response.status_code != codes.TOO_MANY_REQUESTS:
            raise ServiceAccountRefusedError
        return _TokenResponse.model_validate_json(response.raise_for_status().content)

    def _assertion(self) -> str:
        now = int(self._clock())
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now,
            "exp": now + int(ASSERTION_LIFETIME.total_seconds()),
        }
        headers = {"kid": self._account.private_key_id}
        return jwt.encode(claims, self._account.private_key.get_secret_value(), algorithm="RS256", headers=headers)
