"""The bearer token of a request or a WebSocket.

Browsers cannot set headers of a WebSocket. Their clients offer two subprotocols, `bearer` and the token:
`new WebSocket(url, ["bearer", token])`. The token does not appear in the URL, which proxies log.
"""

from typing import Final, Protocol, override

from fastapi import WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from app.core.runtime import get_runtime

SUBPROTOCOL: Final = "bearer"


class HandshakeTokens(Protocol):
    """A further source of bearer tokens, for the WebSockets of one module. The module provides it in its `setup`."""

    async def token_of(self, connection: HTTPConnection) -> str | None:
        """Return the token of a WebSocket's handshake without `Authorization` and `bearer`, or `None`.

        Raises:
            InvalidTokenError: the handshake carries credentials that are not accepted.
        """
        ...


class BearerToken(HTTPBearer):
    """A dependency that returns the bearer token, or `None`. Adds the token to the OpenAPI document."""

    def __init__(self) -> None:
        super().__init__(auto_error=False, scheme_name="token")

    @override
    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        """Return the credentials in `Authorization`, or in the subprotocols of a WebSocket."""
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() == SUBPROTOCOL and token:
            return HTTPAuthorizationCredentials(scheme=scheme, credentials=token)
        offered = _offered(request)
        if len(offered) > 1 and offered[0] == SUBPROTOCOL:
            return HTTPAuthorizationCredentials(scheme=SUBPROTOCOL, credentials=offered[1])
        if request.scope["type"] == "websocket" and (further := await _further_token(request)) is not None:
            return HTTPAuthorizationCredentials(scheme=SUBPROTOCOL, credentials=further)
        return None


async def accept(websocket: WebSocket) -> None:
    """Accept a WebSocket. Confirms the subprotocol `bearer`, without which browsers close the connection."""
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in _offered(websocket) else None)


async def _further_token(connection: HTTPConnection) -> str | None:
    source = get_runtime(connection).find_resource(HandshakeTokens)
    return None if source is None else await source.token_of(connection)


def _offered(connection: HTTPConnection) -> list[str]:
    """Return the subprotocols that a WebSocket offers; none for a request."""
    subprotocols: list[str] = connection.scope.get("subprotocols", [])
    return subprotocols
