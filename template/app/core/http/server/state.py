"""State that the server shares with the application in each request (ASGI's lifespan state)."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

DRAINING: Final = "draining"
DRAIN: Final = "drain"


@dataclass(slots=True)
class Drain:
    """Whether the server is about to stop. Each connection has a copy of the state, but all have the same object."""

    began: bool = False


def is_draining(connection: HTTPConnection) -> bool:
    """Return whether the server is about to stop, so that load balancers should send their requests elsewhere."""
    return bool(connection.scope.get("state", {}).get(DRAINING))


def drain_of(connection: HTTPConnection) -> Drain:
    """Return the object that shows whether the server is about to stop. For connections that stay open."""
    drain: Drain = connection.scope.get("state", {}).get(DRAIN) or Drain()
    return drain
