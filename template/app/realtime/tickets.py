"""Tickets: bearer tokens for one handshake, for clients that can put credentials only into a URL."""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from app.auth.port import InvalidTokenError
from app.core.runtime import Runtime
from app.kit.derived_key import derived_key

LIFETIME: Final = timedelta(seconds=30)
MAX_LENGTH: Final = 8 * 1024
"""Characters; the server accepts no longer URLs."""
ID_LENGTH: Final = 32
_REDEEMED: Final = "app.realtime.token"
"""The key under which the scope keeps a ticket's token, since several dependencies of the route read it."""


class Tickets:
    """Bearer tokens, encrypted with a key derived from SECRET_KEY. See `HandshakeTokens`.

    Args:
        path: of the WebSocket that accepts them.
    """

    def __init__(self, runtime: Runtime, path: str) -> None:
        self._runtime = runtime
        self._path = path
        self._fernet = _fernet(runtime.settings.secret_keys)

    def issue(self, token: str) -> str:
        """Return a ticket for a bearer token."""
        id_ = secrets.token_hex(ID_LENGTH // 2)
        return self._fernet.encrypt(f"{id_}{token}".encode()).decode()

    async def token_of(self, connection: HTTPConnection) -> str | None:
        """See `HandshakeTokens.token_of`: the query has a `ticket`, or the `token` itself, which is discouraged."""
        if connection.url.path != self._path:
            return None
        if (redeemed := connection.scope.get(_REDEEMED)) is not None:
            return str(redeemed)
        ticket = connection.query_params.get("ticket")
        if ticket is None:
            return connection.query_params.get("token")
        token = connection.scope[_REDEEMED] = await self._redeem(ticket)
        return token

    async def _redeem(self, ticket: str) -> str:
        if len(ticket) > MAX_LENGTH:
            raise InvalidTokenError("The ticket is not valid.", reason="ticket")
        try:
            content = self._fernet.decrypt(ticket.encode(), ttl=int(LIFETIME.total_seconds())).decode()
        except (InvalidToken, UnicodeError) as error:
            raise InvalidTokenError("The ticket is not valid or has expired.", reason="ticket") from error
        id_, token = content[:ID_LENGTH], content[ID_LENGTH:]
        # A ticket can take one lease, which outlives it. The id is part of the content: Base64 has several spellings.
        if await self._runtime.leases.acquire(f"realtime-ticket:{id_}", limit=1, lifetime=2 * LIFETIME) is None:
            raise InvalidTokenError("The ticket was used already.", reason="ticket used")
        return token


def _fernet(secret_keys: Sequence[SecretStr]) -> MultiFernet:
    keys = [derived_key(secret, "tickets of the realtime connections") for secret in secret_keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
