"""The bearer token of a request or a WebSocket.

Browsers cannot set headers of a WebSocket. Their clients offer two subprotocols, `bearer` and the token:
`new WebSocket(url, ["bearer", token])`. The token does not appear in the URL, which proxies log.
"""

from typing import Final, override

from fastapi import WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

SUBPROTOCOL: Final = "bearer"


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
        return None


async def accept(websocket: WebSocket) -> None:
    """Accept a WebSocket. Confirms the subprotocol `bearer`, without which browsers close the connection."""
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in _offered(websocket) else None)


def _offered(connection: HTTPConnection) -> list[str]:
    """Return the subprotocols that a WebSocket offers; none for a request."""
    subprotocols: list[str] = connection.scope.get("subprotocols", [])
    return subprotocols
