"""State that the server shares with the application in each request (ASGI's lifespan state)."""

from typing import Final

from starlette.requests import HTTPConnection

DRAINING: Final = "draining"


def is_draining(connection: HTTPConnection) -> bool:
    """Return whether the server is about to stop, so that load balancers should send their requests elsewhere."""
    return bool(connection.scope.get("state", {}).get(DRAINING))
